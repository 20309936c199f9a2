"""The page of peers says what the tests run, no more and no less."""

from __future__ import annotations

from tests.peers.matrix import PAGE, PEERS, page
from tests.peers.test_clients import CLIENTS


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "write it again: .venv/bin/python -m tests.peers.matrix"


def test_every_client_is_on_the_page() -> None:
    assert sorted(CLIENTS) == sorted(peer.client for peer in PEERS if peer.client)
