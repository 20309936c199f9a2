"""What is broken in one complete window: the hard rules, and for what they flag the unit or the swap that explains it.

`Normal` asks when a window is entered. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
    swaps,
    unit_change,
)

LOCATION = ":location"
AFTER, MOST_AFTER = "elsewhere_after", 0.05

MOSTLY_ONE = 0.5
"""A column that is mostly one value, such as rain, has no unit that its few other values could tell."""


def inspect(
    limits: Mapping[str, ColumnLimits], total: Profile, current: Profile, elsewhere: Sequence[str], lineage: Lineage
) -> tuple[Finding, ...]:
    """The findings of a window, causes first; columns `elsewhere` lie far from where normal windows do."""
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


def _is_broken(rule: Finding, total: Profile, current: Profile) -> bool:
    """A warm spring is out of the winter's range and not broken; a sentinel or another unit lies far beyond it.

    What lies within a whole range of the reference's is left to the streams `below` and `above` of drift.
    """
    before, now = total.columns.get(rule.column), current.columns.get(rule.column)
    if rule.kind is not FindingKind.UNUSUAL or before is None or now is None or now.nan_or_inf > now.n // 10:
        return True
    ends = _ends(before, now)
    if not isinstance(before.bins, NumericBins) or ends is None:
        return True
    least, greatest, low, high = ends
    margin = greatest - least
    return low < least - margin or high > greatest + margin


def _ends(before: ColumnCounts, now: ColumnCounts) -> tuple[float, float, float, float] | None:
    """The reference's range and where the middle 70 % of the window lie; None where there are no numbers."""
    ends = [before.min, before.max, now.quantile(0.15), now.quantile(0.85)]
    known = [float(end) for end in ends if not isinstance(end, NotEnoughData)]
    return (known[0], known[1], known[2], known[3]) if len(known) == len(ends) else None
