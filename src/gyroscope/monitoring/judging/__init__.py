"""From measured windows to causes: each complete window is entered once, and all history is replayed.

The loop calls `Judge` after it has measured. What is sure goes to a `Ledger`; nothing here opens an incident or pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gyroscope.clock import EventTime
from gyroscope.records import Judged, Noise

__all__ = ["Ledger"]


class Ledger(Protocol):
    """Where causes go, and what people decided about them. All calls may wait for a disk; all are idempotent."""

    def take(self, model: str, found: Judged) -> object:
        """Everything that is sure about a model now. Raises `StoreError` when it cannot be kept."""

    def epochs(self, model: str, version: str) -> Sequence[EventTime]:
        """From when on a version has a new normal, oldest first: each change that a person accepted."""

    def called_noise(self, model: str, version: str) -> Sequence[Noise]:
        """Which incidents of a version people called noise."""
