"""The classic control charts that P1 measures the engine against, each told the right statistic.

Cumulative sums with three allowances, an exponentially weighted mean, and a limit for each window alone. Two-sided;
after an alarm a chart starts afresh.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Chart:
    """Statistics of N series at once, a window at a time."""

    def __init__(self, step: Callable[[Floats, Floats], Floats], sides: int) -> None:
        self._step, self._sides = step, sides

    def alarms(self, z: Floats, limit: float) -> NDArray[np.bool_]:
        """Where series z (N, T) cross the limit, (N, T)."""
        state = np.zeros((self._sides, len(z)))
        crossed = np.zeros(z.shape, np.bool_)
        for window in range(z.shape[1]):
            state = self._step(state, z[:, window])
            crossed[:, window] = np.abs(state).max(axis=0) > limit
            state = np.where(crossed[:, window], 0.0, state)
        return crossed

    def limit(self, z: Floats, alarms: float) -> float:
        """The least limit, of a fine search, at which null series z raise no more than so many alarms."""
        low, high = 0.0, 60.0
        for _ in range(24):
            middle = (low + high) / 2
            low, high = (middle, high) if self.alarms(z, middle).sum() > alarms else (low, middle)
        return high


def _cusum(allowance: float) -> Chart:
    def step(state: Floats, z: Floats) -> Floats:
        return np.maximum(state + np.stack([z, -z]) - allowance, 0.0)

    return Chart(step, 2)


def _weighted(share: float) -> Chart:
    def step(state: Floats, z: Floats) -> Floats:
        return (1 - share) * state + share * z

    return Chart(step, 1)


ALONE = "each window alone"
CHARTS: dict[str, Chart] = {
    "CUSUM 0.5": _cusum(0.5),
    "CUSUM 1": _cusum(1.0),
    "CUSUM 1.5": _cusum(1.5),
    "EWMA 0.2": _weighted(0.2),
    ALONE: Chart(lambda state, z: z[np.newaxis], 1),
}
