"""What one round of monitoring did, how long its steps took, and the collector of cycles that waits for its end.

The loop fills one in a round; control, benchmarks and tests read it.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from gyroscope.clock import SECOND_NS, machine_now

_YOUNG, _WHOLE = 1, 2
"""The generations that are looked at: all but the oldest, or all."""
_WHOLE_EVERY = 20


class Round(msgspec.Struct):
    """What one round did: changed files folded, days with new labels, windows measured, entered and left for later.

    `failures` says by model what went wrong, `steps_s` how long each step took, all models together.
    """

    files: int = 0
    label_days: int = 0
    windows: int = 0
    entered: int = 0
    references: int = 0
    left: int = 0
    failures: dict[str, str] = msgspec.field(default_factory=dict)
    steps_s: dict[str, float] = msgspec.field(default_factory=dict)

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        started = machine_now()
        yield
        self.steps_s[step] = self.steps_s.get(step, 0.0) + (machine_now() - started) / SECOND_NS


class Collector:
    """The collector of cycles waits while a round runs: a round makes enough to start it often.

    Of the time of a round of twenty models it took a fifth, for libraries and stores that were all there before. After
    a round it looks at what came since the last one, after every twentieth at everything. Where it was switched off it
    is left alone.
    """

    def __init__(self) -> None:
        self._rounds = 0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        if not gc.isenabled():
            yield
            return
        gc.disable()
        try:
            yield
        finally:
            gc.enable()
            self._rounds += 1
            gc.collect(_YOUNG if self._rounds % _WHOLE_EVERY else _WHOLE)
