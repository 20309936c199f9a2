"""Peers: systems that others wrote, each in an environment of its own, talked to over sockets."""

from __future__ import annotations

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
