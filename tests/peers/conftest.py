"""Peers: systems that others wrote, each in an environment of its own, talked to over sockets."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import missing

import peers


@pytest.fixture(scope="session")
def peer_python() -> Callable[[str], Path]:
    """The interpreter of a peer; where its packages cannot be had the test is skipped, and fails in CI."""

    def found(name: str) -> Path:
        try:
            return peers.python(name)
        except peers.PeerMissingError as error:
            missing(str(error))

    return found


def answers(url: str) -> bool:
    """Whether what listens there says 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
