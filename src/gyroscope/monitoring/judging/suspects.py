"""Where a fall of performance comes from: the features by which its loss is unlike that of the labelled windows before.

`Verdicts` asks for every cause of performance. It names suspects, never causes; what it adds is words and evidence, and
no incident opens or stays away because of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from itertools import islice

import msgspec

from gyroscope.clock import EventTime
from gyroscope.monitoring.judging.causes import About
from gyroscope.records import Cause, NotEnoughData, Signal, Window
from gyroscope.stats.attribution import Attribution, FeatureLosses, FeatureSplit, attribute
from gyroscope.stats.profiles import Layout

BEFORE = 28
"""The first labelled windows, surest to be normal, are the comparison: references hold no losses by feature."""

MOST_SUSPECTS, MOST_CELLS = 3, 4

Losses = Callable[[About, Window], FeatureLosses | None]
"""What the labelled rows of a stretch lost, by feature; None without any."""


class Suspects:
    """Asked again in every replay, it splits each gap once."""

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._known: dict[tuple[About, EventTime, EventTime, int], Attribution | NotEnoughData] = {}

    def of(
        self, about: About, cause: Cause, labels: Sequence[Window], normal: Sequence[Window]
    ) -> Attribution | NotEnoughData:
        """The gap of a cause by feature; `labels` are the labelled windows, `normal` those they are held against."""
        since = [window for window in labels if cause.since <= window.start <= cause.seen]
        before = [*normal, *(window for window in labels if window.start < cause.since)]
        key = (about, cause.since, cause.seen, len(before))
        if key not in self._known:
            self._known[key] = self._split(about, before, since)
        return self._known[key]

    def _split(self, about: About, before: Sequence[Window], since: Sequence[Window]) -> Attribution | NotEnoughData:
        now = list(self._of(about, since))
        if not now:
            return NotEnoughData("no labelled row since the change is known any more")
        return attribute(list(islice(self._of(about, before), BEFORE)), reduce(FeatureLosses.merge, now))

    def _of(self, about: About, windows: Iterable[Window]) -> Iterable[FeatureLosses]:
        found = (self._losses(about, window) for window in windows)
        return (losses for losses in found if losses is not None and losses.n)


def told(cause: Cause, found: Attribution | NotEnoughData, layout: Layout) -> Cause:
    """The cause with what stands out in its why line, and as evidence what each suspect explains."""
    if isinstance(found, NotEnoughData):
        return cause
    suspects = [one for one in found.features if one.explains > 0][:MOST_SUSPECTS]
    if found.verdict == "cannot tell" or not suspects:
        return msgspec.structs.replace(cause, reason=f"{cause.reason}; no feature stands out")
    evidence = [Signal("explains", cause.seen, one.explains, (("of", one.column),)) for one in suspects]
    reason = f"{cause.reason}; suspect: {_words(suspects[0], found, layout)}"
    return msgspec.structs.replace(cause, reason=reason, bundle=(*cause.bundle, *evidence))


def _words(one: FeatureSplit, found: Attribution, layout: Layout) -> str:
    share = f"{one.explains:.3g} of the loss of {abs(found.gap):.3g} a row"
    if found.verdict == "moved":
        return f"{one.column}, more rows where the loss always was ({share})"
    names = (*layout.columns[one.column].labels, "infinite", "missing")
    cells = [names[cell] for cell in one.cells[:MOST_CELLS]] + ["..."] * (len(one.cells) > MOST_CELLS)
    return f"{one.column} {', '.join(cells)}, worse than before ({share})"
