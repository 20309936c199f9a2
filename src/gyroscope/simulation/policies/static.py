"""A size that somebody chose once.

`rehearse` and the benchmarks hold the others against it. It looks at nothing.
"""

from __future__ import annotations

from gyroscope.simulation.queue import Seen


class Static:
    """Always the same."""

    every_s = 60.0

    def __init__(self, size: int) -> None:
        self.name = f"static {size}"
        self.size = size

    def look(self, seen: Seen) -> int:
        return self.size
