"""Where a size goes: one file for each thing that can have replicas. `local.py` is this machine.

The loop calls a target; a target decides nothing.
"""

from __future__ import annotations

from typing import Protocol

from gyroscope.clock import EventTime

__all__ = ["Target"]


class Target(Protocol):
    """Something whose number of replicas can be changed. Neither call waits until replicas have started."""

    def size(self, model: str) -> int:
        """The number that is wanted now. Raises `StoreError` when it cannot be read."""
        ...

    def resize(self, model: str, replicas: int, reason: str, now: EventTime) -> None:
        """Want so many from now on; the same number again changes nothing. Raises `StoreError` when it is refused."""
        ...
