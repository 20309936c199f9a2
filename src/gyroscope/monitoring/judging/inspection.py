"""What is broken in one complete window: the hard rules, and for what they flag the unit or the swap that explains it.

`Normal` asks when a window is entered. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from gyroscope.records import NotEnoughData
from gyroscope.stats.evidence import Streams
from gyroscope.stats.profiles import ColumnCounts, NumericBins, Profile
from gyroscope.stats.quality import (
    ColumnLimits,
    Finding,
    FindingKind,
    Lineage,
    causes_only,
    derived_from,
    followers,
    hard_rules,
    most_alike_share,
    swaps,
    unit_change,
)

LOCATION = ":location"
AFTER, MOST_AFTER = "elsewhere_after", 0.05

MIDDLE = (0.15, 0.85)

LEAST_NARROWER = 5.0
"""At 1 three winter days were other units to dew points of a summer, at 2 none; most units make it 10 or more."""

MOSTLY_ONE = 0.5
"""A column that is mostly one value, such as rain, has no unit that its few other values could tell."""

BEYOND, BEYOND_RARE = 1.0, 10.0
"""Ranges of the reference's. A dry fortnight says little of rain: in 2013 storms went 7 of its ranges beyond it."""


def inspect(
    limits: Mapping[str, ColumnLimits],
    normal: Sequence[Profile],
    total: Profile,
    current: Profile,
    elsewhere: Sequence[str],
    lineage: Lineage,
) -> tuple[Finding, ...]:
    """The findings of a window, causes first; columns `elsewhere` lie far from where `normal` windows do.

    `total` is the profile of all of these.
    """
    rules = hard_rules(limits, current)
    if isinstance(rules, NotEnoughData):
        return ()
    flagged = dict.fromkeys([*(rule.column for rule in rules), *elsewhere])
    made = {name for source in flagged for name in derived_from(source, lineage)}
    asked = [name for name in flagged if name in limits and name not in made]
    varied = [name for name in asked if limits[name].most_alike <= MOSTLY_ONE]
    found = _explained(total, current, varied)
    # Where no rule was broken a plain shift may look like a change of unit: then it has to fit exactly.
    sure = {rule.column for rule in rules}
    explained = {name: one for name, one in found.items() if name in sure or one.figures[AFTER] <= MOST_AFTER}
    left = [name for name in asked if name in sure and name not in explained]
    explained |= _explained_by_windows(normal, total, current, left)
    broken = [rule for rule in rules if rule.column not in explained and _is_broken(rule, total, current)]
    return tuple(causes_only([*explained.values(), *broken], lineage))


def lineage_of(made_from: Mapping[str, str], reference: Streams, outputs: Sequence[str]) -> dict[str, list[str]]:
    """Which columns come from each: as the policy says, as they move together in normal windows, and all outputs."""
    places = [row for row, name in enumerate(reference.names) if name.endswith(LOCATION)]
    names = [reference.names[row].removesuffix(LOCATION) for row in places]
    lineage = followers(names, reference.y[places])
    for name, source in made_from.items():
        lineage = {one: [other for other in below if other != name] for one, below in lineage.items()}
        lineage.pop(name, None)
        lineage[source] = [*lineage.get(source, []), name]
    return {name: [*lineage.get(name, []), *outputs] for name in dict.fromkeys((*names, *lineage))}


def _explained(total: Profile, current: Profile, flagged: Sequence[str]) -> dict[str, Finding]:
    """By column the change of unit, else of place, that brings it back to where it was."""
    found: dict[str, Finding] = {}
    for name in flagged:
        if isinstance(total.columns[name].bins, NumericBins):
            changed = unit_change(name, [total.columns[name]], current.columns[name])
            found |= {name: changed} if changed is not None else {}
    left = [name for name in flagged if name not in found]
    moved = swaps([total], current, left) if len(left) > 1 else []
    return {**{one.column: one for one in moved}, **found}


def _explained_by_windows(
    normal: Sequence[Profile], total: Profile, current: Profile, columns: Sequence[str]
) -> dict[str, Finding]:
    """By column the change of unit that brings it back as near as normal windows are; 10 ms for each that is asked.

    Only of those that lie beyond what a season does: a warm spring in degrees of another kind is a winter's day.
    """
    found: dict[str, Finding] = {}
    for name in columns:
        before, now = total.columns[name], current.columns[name]
        if not isinstance(before.bins, NumericBins) or most_alike_share(before) > MOSTLY_ONE:
            continue
        windows = [window.columns[name] for window in normal]
        if _is_beyond(before, now) or (_is_nearer(before, now) and _is_narrow(windows, now)):
            changed = unit_change(name, windows, now)
            found |= {name: changed} if changed is not None else {}
    return found


def _is_broken(rule: Finding, total: Profile, current: Profile) -> bool:
    """A warm spring is out of the winter's range and not broken; a sentinel or another unit lies far beyond it.

    What lies within a whole range of the reference's, within ten of a column that is mostly one value, is left to the
    streams `below` and `above` of drift. So is what lies nearer to nought and no unit explains: accounts that are days
    old where they were years are new customers.
    """
    before, now = total.columns.get(rule.column), current.columns.get(rule.column)
    if rule.kind is not FindingKind.UNUSUAL or before is None or now is None or now.nan_or_inf > now.n // 10:
        return True
    return not isinstance(before.bins, NumericBins) or _is_beyond(before, now)


def _is_beyond(before: ColumnCounts, now: ColumnCounts) -> bool:
    """Whether the middle of a window's numbers reaches a whole range of the reference's away from it, or ten."""
    middle = now.quantiles(MIDDLE)
    if isinstance(middle, NotEnoughData) or not before.values:
        return False
    (low, high), reach, (below, above) = middle, before.greatest - before.least, _ranges(before)
    return low < before.least - below * reach or high > before.greatest + above * reach


def _ranges(before: ColumnCounts) -> tuple[float, float]:
    """How many ranges below and above the reference's are let pass: more on the side of what is rare."""
    common = before.quantiles((0.5,))
    if isinstance(common, NotEnoughData) or most_alike_share(before) <= MOSTLY_ONE:
        return BEYOND, BEYOND
    is_low = common[0] - before.least <= before.greatest - common[0]
    return (BEYOND, BEYOND_RARE) if is_low else (BEYOND_RARE, BEYOND)


def _is_nearer(before: ColumnCounts, now: ColumnCounts) -> bool:
    """Whether numbers of one sign lie a whole range of ratios nearer to nought, such as percent that are shares now.

    Asked where a whole range of differences ends beyond nought.
    """
    middle = now.quantiles(MIDDLE)
    if isinstance(middle, NotEnoughData) or not before.values:
        return False
    (low, high), least, greatest = middle, before.least, before.greatest
    if greatest < 0:
        least, greatest, low, high = -greatest, -least, -high, -low
    return 0 < least <= greatest - least and low > 0 and high < least * (least / greatest)


def _is_narrow(windows: Sequence[ColumnCounts], now: ColumnCounts) -> bool:
    """Whether a middle is as much narrower than that of normal windows as another unit makes it.

    The dew points of a summer are positive too, and a winter's are near nought: as wide as ever. Of what is one value
    a window nothing can be said.
    """
    width, *widths = (
        middle[1] - middle[0]
        for one in (now, *windows)
        if not isinstance(middle := one.quantiles(MIDDLE), NotEnoughData)
    )
    return bool(widths) and 0 < width * LEAST_NARROWER <= float(np.median(widths))
