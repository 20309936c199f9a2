"""How many replicas, said by whom: one file each. `own.py` is what the product does, the others are what peers do.

`rehearse.py` calls `look` every `every_s` seconds of simulated time. A policy keeps what it saw; it knows no more than
`Seen` tells.
"""

from __future__ import annotations

from typing import Protocol

from gyroscope.simulation.queue import Seen

__all__ = ["Scaler"]


class Scaler(Protocol):
    """Sees what happened and says a size. `sees_every_s` seconds lie between two calls of `look`."""

    name: str
    every_s: float

    def look(self, seen: Seen) -> int:
        """The size to have from now on. Called in order of time; `seen` covers the time since the last call."""
        ...
