"""A replica like `direct.py` whose batches follow settings instead of learning: what S15 compares with.

`python -m benchmarks.serving.static_replica SETTINGS VERSION SIZE WAIT_MS`; size 0 leaves the replica as it is.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.house import MODEL
from gyroscope.assembly import replica
from gyroscope.serving import line
from gyroscope.serving.batching import Batcher, Turn


class Static(Batcher):
    """So many calls, or as many as there are so long after the first of them came; it learns nothing."""

    def __init__(self, size: int, wait_ns: int) -> None:
        super().__init__(size, 0)
        self._size, self._wait_ns, self._first_ns = size, wait_ns, 0

    def passes(self, waiting: int) -> bool:
        """Every call is put before `turn`."""
        return False

    def turn(self, waiting: int, now_ns: int) -> Turn:
        """As `Batcher.turn`."""
        self._first_ns = self._first_ns or now_ns
        rest_ns = self._first_ns + self._wait_ns - now_ns
        if waiting < self._size and rest_ns > 0:
            return Turn(0, rest_ns)
        self._first_ns = 0
        return Turn(min(waiting, self._size))

    def ended(self, *_: int) -> None:
        """Nothing is learned: not that a model is quick either, so that no call passes the line."""


if __name__ == "__main__":
    settings, version, size, wait_ms = sys.argv[1:]
    if int(size):
        line.Batcher = lambda most, slo_ns: Static(int(size), int(wait_ms) * 1_000_000)  # type: ignore[assignment, misc]
    replica.haproxy = lambda: ""
    replica.run_replica(Path(settings), MODEL, version, 0)
