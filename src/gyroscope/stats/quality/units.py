"""Which change of unit or of writing explains that a column is suddenly elsewhere: minutes instead of hours, text in
capitals, a decimal comma.

Monitoring asks for columns that a hard rule or a large shift has flagged. It names a change only if undoing it brings
the column back to where the reference's own windows are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import reduce

import numpy as np

from gyroscope.stats.profiles import CategoryBins, ColumnCounts
from gyroscope.stats.quality.finding import Finding, FindingKind
from gyroscope.stats.quality.shapes import Yardstick, shape_of

LEAST_BEFORE = 0.3
MOST_AFTER = 0.05

FACTORS = (60.0, 100.0, 1000.0, 3600.0, 24.0, 1e6, 1e9, 2.2046, 2.54, 25.4, 0.3048, 1.609, 10.0)
"""Times, percent, thousands, pounds, inches, feet, miles, and a decimal point that slipped; and one over each."""

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

WRITINGS: dict[str, Callable[[str], str]] = {
    "white space around it": str.strip,
    "capital or small letters": lambda text: text.strip().casefold(),
    "quotation marks around it": lambda text: text.strip().strip("'\"").strip(),
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
    whole = reduce(ColumnCounts.merge, reference)
    shape, now = shape_of(whole), shape_of(current)
    if shape is None or now is None:
        return None
    before = Yardstick.of(shape)
    noise = 1 / whole.values + 1 / current.values
    distance = before.apart(now, noise)
    slack = math.sqrt(noise)
    limit = max(MOST_AFTER, _usual(before, reference, whole.values)) + slack
    if distance <= LEAST_BEFORE or distance <= 2 * limit:
        return None
    found = {change: before.apart(now.scaled(1 / a, -b / a), noise) for change, (a, b) in _changes().items()}
    # Hours for days and inches differ by 6 %: of changes that fit equally well the commoner one is named.
    nearest = min(found.values())
    change = next(one for one, after in found.items() if after <= nearest + 2 * slack)
    if found[change] > limit:
        return None
    a, b = _changes()[change]
    figures = {"a": a, "b": b, "elsewhere_before": distance, "elsewhere_after": found[change]}
    return Finding(FindingKind.UNIT_CHANGED, name, f"it looks like {change}", figures)


def encoding_change(name: str, reference: ColumnCounts, texts: Mapping[str, int]) -> Finding | None:
    """The change of writing that explains new categories, or text where numbers were.

    Parameters
    ----------
    name : str
        The column.
    reference : ColumnCounts
    texts : mapping of str to int
        The different texts of a window (or of a sample of it) and how often each occurs.

    Returns
    -------
    Finding or None
        A change is named when over 30 % of the rows are unknown as they stand and at most 5 % after it.

    Examples
    --------
    >>> from gyroscope.stats.profiles import fit_layout, profile
    >>> cities = {"city": np.array(["Rome", "Oslo"], dtype=object)}
    >>> known = profile(cities, fit_layout(cities)).columns["city"]
    >>> encoding_change("city", known, {"ROME": 5, "OSLO": 4}).reason
    'it looks like capital or small letters: 100 % of the rows are unknown as they stand, 0 % after undoing it'
    """
    total = sum(texts.values())
    if not total:
        return None
    if not isinstance(reference.bins, CategoryBins):
        return _comma(name, texts, total)
    known = {*reference.bins.categories, *reference.bins.rare}
    unknown = 1 - sum(count for text, count in texts.items() if text in known) / total
    if unknown <= LEAST_BEFORE:
        return None
    for writing, undo in WRITINGS.items():
        alike = {undo(text) for text in known}
        after = 1 - sum(count for text, count in texts.items() if undo(text) in alike) / total
        if after <= MOST_AFTER:
            return _written(name, writing, unknown, after)
    return None


def _comma(column: str, texts: Mapping[str, int], total: int) -> Finding | None:
    """Numbers that came as text: with a comma for the decimal point, or with a sign of percent."""
    for writing, marks in (("a decimal comma", (",", ".")), ("a percent sign", ("%", ""))):
        readable = sum(count for text, count in texts.items() if marks[0] in text and _is_number(text.replace(*marks)))
        if 1 - readable / total <= MOST_AFTER:
            return _written(column, writing, 1.0, 1 - readable / total)
    return None


def _written(column: str, writing: str, before: float, after: float) -> Finding:
    share = f"{100 * before:.0f} % of the rows are unknown as they stand, {100 * after:.0f} % after undoing it"
    figures = {"unknown_before": before, "unknown_after": after}
    return Finding(FindingKind.ENCODING_CHANGED, column, f"it looks like {writing}: {share}", figures)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


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
