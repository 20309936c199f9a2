"""How much is asked of a model: requests per second over short and long stretches, and how many wait.

The loop and the simulation keep one `Arrivals` a model and hand its `Load` to `decide`. Machine time only; no clock.
"""

from __future__ import annotations

import math
from collections import deque

import msgspec

from gyroscope.records import NotEnoughData

TINY_S = 1e-6
STRETCHES_S = (2.0, 5.0, 30.0, 60.0)
"""A burst is seen in the first two, the sooner the larger it is; sizes follow the mean of the third, its level, and the
fourth tells whether that rises."""

SIGMAS = 4.0
"""A rise is believed when chance alone would show it in one of 30,000 looks: three a day."""

LEVEL, EARLIER_S = 2, 10.0


class Stretch(msgspec.Struct, frozen=True):
    """Requests per second, refused ones too, over the last so many seconds."""

    per_s: float
    seconds: float


class Load(msgspec.Struct, frozen=True, tag=True):
    """What is asked: over stretches from short to long, and requests that wait now.

    `is_partial`: some replica that should have told its counts did not, so there may be more than is seen.
    """

    stretches: tuple[Stretch, ...]
    waiting: int = 0
    is_partial: bool = False

    @property
    def is_idle(self) -> bool:
        """Whether nobody asked for as long as is looked at."""
        return not self.waiting and not any(stretch.per_s for stretch in self.stretches)

    @property
    def level(self) -> Stretch:
        """The mean that sizes follow; over less time where there was less."""
        return self.stretches[min(LEVEL, len(self.stretches) - 1)]

    @property
    def is_rising(self) -> bool:
        """Whether more is asked than on average of late, by chance or not."""
        return self.level.per_s > self.stretches[-1].per_s

    @property
    def trend(self) -> float:
        """Requests per second that come on top each second; 0 where it falls or chance explains the rise.

        >>> ramp = Load((Stretch(79.0, 2.0), Stretch(77.0, 5.0), Stretch(65.0, 30.0), Stretch(50.0, 60.0)))
        >>> ramp.trend
        1.0
        """
        level, whole = self.level, self.stretches[-1]
        earlier_s = whole.seconds - level.seconds
        if earlier_s < EARLIER_S:
            return 0.0
        earlier_per_s = (whole.per_s * whole.seconds - level.per_s * level.seconds) / earlier_s
        chance = SIGMAS * math.sqrt(level.per_s / level.seconds + earlier_per_s / earlier_s)
        rise = level.per_s - earlier_per_s
        return rise / (whole.seconds / 2) if rise > chance else 0.0


class Arrivals:
    """Counts of the last seconds.

    >>> arrivals = Arrivals()
    >>> for second in range(1, 41):
    ...     arrivals.add(float(second), 1.0, 10 if second <= 35 else 25)
    >>> [stretch.per_s for stretch in arrivals.load(waiting=3).stretches]
    [25.0, 25.0, 12.5, 11.875]
    """

    def __init__(self) -> None:
        self._looks: deque[tuple[float, float, int]] = deque()

    def add(self, now_s: float, took_s: float, arrived: int) -> None:
        """So many arrived in the `took_s` seconds before now."""
        self._looks.append((now_s, took_s, arrived))
        while self._looks[0][0] <= now_s - STRETCHES_S[-1]:
            self._looks.popleft()

    def load(self, waiting: int = 0, *, is_partial: bool = False) -> Load | NotEnoughData:
        """What is asked now; unknown before the shortest stretch is over."""
        seconds, count = 0.0, 0
        stretches: list[Stretch] = []
        for _, took_s, arrived in reversed(self._looks):
            seconds, count = seconds + took_s, count + arrived
            if seconds >= STRETCHES_S[len(stretches)] - TINY_S:
                stretches.append(Stretch(count / seconds, seconds))
                if len(stretches) == len(STRETCHES_S):
                    break
        if not stretches:
            return NotEnoughData(f"counts of {seconds:.1f} of {STRETCHES_S[0]:g} seconds")
        if len(stretches) < len(STRETCHES_S):
            stretches.append(Stretch(count / seconds, seconds))
        return Load(tuple(stretches), waiting, is_partial)
