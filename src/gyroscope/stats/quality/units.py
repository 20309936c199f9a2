"""Which change of unit explains that a column is suddenly elsewhere, such as minutes instead of hours.

Monitoring asks for columns that a hard rule or a large shift has flagged. It names a change only if undoing it brings
the column back to where the reference's own windows are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from gyroscope.stats.profiles import ColumnCounts
from gyroscope.stats.quality.finding import Finding, FindingKind
from gyroscope.stats.quality.shapes import Yardstick, shape_of

LEAST_BEFORE = 0.3
MOST_AFTER = 0.05
MOST_USUAL = 0.8
"""Days that cover less than a fifth of the reference, such as those of a counter: any place in its range would fit."""

FACTORS = (100.0, 60.0, 1000.0, 3600.0, 24.0, 1e6, 1e9, 2.2046, 2.54, 25.4, 0.3048, 1.609, 10.0)
"""Percent, times, thousands, pounds, inches, feet, miles, and a decimal point that slipped; and one over each."""

_NAMES = {
    60.0: "minutes for hours, or seconds for minutes",
    100.0: "percent for shares, or cents for units",
    1000.0: "milli for units, or units for kilo",
    3600.0: "seconds for hours",
    24.0: "hours for days",
    1e6: "micro for units",
    1e9: "nano for units",
    2.2046: "pounds for kilograms",
    2.54: "centimetres for inches",
    25.4: "millimetres for inches",
    0.3048: "metres for feet",
    1.609: "kilometres for miles",
    10.0: "a decimal place",
}

_TEMPERATURES = {
    "Fahrenheit for Celsius": (1.8, 32.0),
    "Celsius for Fahrenheit": (1 / 1.8, -32 / 1.8),
    "Kelvin for Celsius": (1.0, 273.15),
    "Celsius for Kelvin": (1.0, -273.15),
    "Kelvin for Fahrenheit": (1 / 1.8, 273.15 - 32 / 1.8),
    "Fahrenheit for Kelvin": (1.8, 32 - 1.8 * 273.15),
}


def unit_change(name: str, reference: Sequence[ColumnCounts], current: ColumnCounts) -> Finding | None:
    """The change of unit that explains a numeric column.

    Parameters
    ----------
    name : str
        The column.
    reference : sequence of ColumnCounts, length D
        The windows of the reference.
    current : ColumnCounts
        A window that lies elsewhere.

    Returns
    -------
    Finding or None
        Of all changes known here the one that brings the window nearest, provided that over 30 % of its rows are
        elsewhere now and, after it, at most 5 % or as many as in nine of ten windows of the reference (and 1 / sqrt(n)
        for noise). Figures `a` and `b`: today's value is a times the former plus b.

    Examples
    --------
    >>> from gyroscope.stats.profiles import fit_layout, profile
    >>> hours = np.linspace(1, 9, 500)
    >>> layout = fit_layout({"x": hours})
    >>> before, after = (profile({"x": x}, layout).columns["x"] for x in (hours, hours * 60))
    >>> unit_change("x", [before], after).reason
    'it looks like minutes for hours, or seconds for minutes: 60 times as large'
    """
    whole = ColumnCounts.merge_all(reference)
    shape, now = shape_of(whole), shape_of(current)
    if shape is None or now is None:
        return None
    before = Yardstick.of(shape)
    noise = 1 / whole.values + 1 / current.values
    distance = before.apart(now, noise)
    slack = math.sqrt(noise)
    limit = min(max(MOST_AFTER, _usual(before, reference, whole.values)) + slack, MOST_USUAL)
    # Twice as far as is usual or, where days differ so much that nothing can be, half of the way that is left.
    if distance <= max(LEAST_BEFORE, min(2 * limit, (1 + limit) / 2)):
        return None
    found = {change: before.apart(now.scaled(1 / a, -b / a), noise) for change, (a, b) in _changes().items()}
    # Hours for days and inches differ by 6 %: of changes that fit equally well the commoner one is named.
    nearest = min(found.values())
    change = next(one for one, after in found.items() if after <= nearest + 2 * slack)
    if found[change] > limit:
        return None
    a, b = _changes()[change]
    figures = {"a": a, "b": b, "elsewhere_before": distance, "elsewhere_after": found[change]}
    return Finding(FindingKind.UNIT_CHANGED, name, f"it looks like {change}{_doubt(found, change, limit)}", figures)


def _doubt(found: Mapping[str, float], change: str, limit: float) -> str:
    """The next of the other changes after which the window lies where days do too: one day may not tell them apart."""
    others = {one: after for one, after in found.items() if one != change and after <= limit}
    return f"; or like {min(others, key=others.__getitem__)}" if others else ""


def _changes() -> dict[str, tuple[float, float]]:
    """(a, b) of each change: today's value is a times the former plus b."""
    changes = {}
    for factor in FACTORS:
        changes[f"{_NAMES[factor]}: {factor:g} times as large"] = (factor, 0.0)
        changes[f"{_NAMES[factor]}, the other way round: {factor:g} times as small"] = (1 / factor, 0.0)
    return {**changes, **_TEMPERATURES, "the other sign": (-1.0, 0.0)}


def _usual(whole: Yardstick, windows: Sequence[ColumnCounts], rows: int) -> float:
    """How far nine of ten windows of the reference are from all of it: days differ."""
    shapes = [(shape_of(window), window.values) for window in windows]
    distances = [whole.apart(shape, 1 / rows + 1 / n) for shape, n in shapes if shape is not None]
    return float(np.quantile(distances, 0.9)) if distances else 0.0
