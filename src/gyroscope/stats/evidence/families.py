"""Families of streams: who gets how much of the budget of false alarms, and how people's verdicts move it.

Monitoring builds these; the detector spends their mass. The budget itself never moves without the user.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from gyroscope.stats.arrays import Floats
from gyroscope.stats.evidence.baselines import Baselines

SHARES: Mapping[str, float] = {
    "performance": 0.35,
    "quality": 0.25,
    "estimate": 0.15,
    "predictions": 0.15,
    "output": 0.10,
}
"""Of a model's budget. Drift of inputs never pages and has a budget of its own, as large, for its cards."""

BUDGET_DAYS = 30.0
"""The budget is so many false alarms per 30 days."""

_FURTHEST = 4.0


class Family(msgspec.Struct, frozen=True, eq=False):
    """Streams that share a part of the budget.

    Examples
    --------
    >>> from gyroscope.stats.evidence import fit_baselines, stream
    >>> Family("performance", fit_baselines(stream("loss", [0.9, 1.1] * 8, [0.01] * 16, side=1)), 0.35).share
    0.35
    """

    name: str
    baselines: Baselines
    share: float = 1.0


class Feedback(msgspec.Struct, frozen=True):
    """A person's verdict on streams of an alarm, said while `window` was the newest; it moves later starts only.

    Examples
    --------
    >>> Feedback(12, ("x:missing",), is_useful=False).window
    12
    """

    window: int
    names: tuple[str, ...]
    is_useful: bool


def masses(family: Family, days: Floats, false_alarms: float, feedback: Sequence[Feedback] = ()) -> Floats:
    """What each stream may spend on a change that begins with each window.

    Parameters
    ----------
    family : Family
        Of S usable streams; those without a baseline keep no mass.
    days : float array, shape (T,)
        Since the window before.
    false_alarms : float
        Per 30 days.
    feedback : sequence of Feedback
        "Useful" doubles a stream's weight, "noise" halves it, four times either way at most; the sum stays.

    Returns
    -------
    float array, shape (S, T)
        Sums to false_alarms * share * days / 30 in each column.

    Examples
    --------
    >>> from gyroscope.stats.evidence import fit_baselines, stream
    >>> both = stream("a", [0.9, 1.1] * 8, [0.01] * 16).join(stream("b", [0.9, 1.1] * 8, [0.01] * 16))
    >>> noise = Feedback(0, ("b",), is_useful=False)
    >>> masses(Family("input", fit_baselines(both)), np.array([3.0, 3.0]), 1.0, [noise]).round(4).tolist()
    [[0.05, 0.0667], [0.05, 0.0333]]
    """
    names = family.baselines.names
    factors = np.zeros((len(names), len(days)))
    places = {name: place for place, name in enumerate(names)}
    for verdict in feedback:
        rows = [places[name] for name in verdict.names if name in places]
        factors[rows, verdict.window + 1 :] += 1.0 if verdict.is_useful else -1.0
    weights = family.baselines.weights[:, np.newaxis] * np.clip(2.0**factors, 1 / _FURTHEST, _FURTHEST)
    total = weights.sum(axis=0)
    shares: Floats = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    return shares * (false_alarms * family.share * np.asarray(days, np.float64) / BUDGET_DAYS)


def learned_shares(
    shares: Mapping[str, float], useful: Mapping[str, int], noise: Mapping[str, int]
) -> dict[str, float]:
    """Shares of the budget after people's verdicts on the alarms of each family; their sum stays.

    Parameters
    ----------
    shares : mapping of family to share
    useful, noise : mapping of family to number of alarms marked so

    Returns
    -------
    dict of family to share
        For mass that is spent from now on. Each family keeps at least a quarter of its weight.

    Examples
    --------
    >>> learned_shares({"performance": 0.5, "output": 0.5}, {"performance": 1}, {})
    {'performance': 0.6666666666666666, 'output': 0.3333333333333333}
    """
    moved = {
        name: share * min(max(2.0 ** (useful.get(name, 0) - noise.get(name, 0)), 1 / _FURTHEST), _FURTHEST)
        for name, share in shares.items()
    }
    scale = sum(shares.values()) / sum(moved.values())
    return {name: share * scale for name, share in moved.items()}
