"""Performance without labels: what a window's scores are worth by the reference, as streams and as estimates to draw.

`Normal` keeps one of these for a binary model with labelled reference windows. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from gyroscope.records import NotEnoughData, Signature
from gyroscope.stats.estimation import (
    Estimator,
    Scores,
    Verdict,
    estimate_stream,
    fit_estimator,
    relation_stream,
    relation_verdict,
    support_of,
)
from gyroscope.stats.evidence import Baselines, fit_baselines
from gyroscope.stats.performance import Estimate, Outcomes, PerformanceStream, as_streams
from gyroscope.stats.profiles import Profile

METRIC = "brier"
LEAST_ROWS = 30
DRAWN = ("brier", "accuracy", "auc")
MOST_COLUMNS = 10

Values = dict[str, tuple[float, float]]
Bounds = dict[str, tuple[float, float, float]]


class Estimates(msgspec.Struct, frozen=True, eq=False):
    """The estimator, and what its estimates of normal windows and their errors are like.

    `stream` and `disagreement` are of the normal windows; `baselines` and `meant` are what they say is normal.
    """

    signature: Signature
    estimator: Estimator
    stream: PerformanceStream
    disagreement: PerformanceStream
    baselines: Baselines
    meant: Baselines

    def of(self, windows: Sequence[Profile]) -> list[tuple[Values, Bounds]]:
        """Of each window the value of its stream, and its estimated metrics with their intervals."""
        scores = Scores.from_columns([one.columns[self.signature.output] for one in windows], self.signature.threshold)
        current = estimate_stream(self.estimator, [], scores, METRIC).current
        found: list[tuple[Values, Bounds]] = []
        drawn_of = self.estimator.estimates(scores, DRAWN)
        for some, values, y, within in zip(scores, drawn_of, current.y.tolist(), current.within.tolist(), strict=True):
            if some.n < LEAST_ROWS or not math.isfinite(y):
                found.append(({}, {}))
                continue
            drawn = {name: one for name in DRAWN if isinstance(one := values[name], Estimate)}
            bounds = {name: (one.value, one.low, one.high) for name, one in drawn.items()}
            found.append(({f"estimate:{METRIC}": (y, within)}, bounds))
        return found

    def differences(self, later: Sequence[Outcomes]) -> list[Values]:
        """Of each window with labels what they said less what was estimated."""
        current = relation_stream(self.estimator, [], later, METRIC).current
        return [
            {f"relation:{METRIC}": (y, within)} if math.isfinite(y) else {}
            for y, within in zip(current.y.tolist(), current.within.tolist(), strict=True)
        ]

    def is_inside(self, total: Profile, current: Profile) -> bool:
        """Whether these rows resemble enough of those that the estimator has learned from."""
        columns = [*self.signature.as_logged.names[:MOST_COLUMNS], self.signature.output]
        return relation_verdict(support_of(total, current, columns)) is Verdict.CHANGED


def estimates_of(signature: Signature, outcomes: Sequence[Outcomes]) -> Estimates | NotEnoughData:
    """Learn to estimate; `NotEnoughData` says why there are no estimates."""
    if signature.task != "binary":
        return NotEnoughData("performance is estimated for binary models only")
    estimator = fit_estimator(outcomes)
    if isinstance(estimator, NotEnoughData):
        return estimator
    stream = estimate_stream(estimator, outcomes, [], METRIC)
    disagreement = relation_stream(estimator, outcomes, [], METRIC)
    return Estimates(
        signature=signature,
        # Later windows never ask what the folds of the reference had held out.
        estimator=msgspec.structs.replace(estimator, held_out=[]),
        stream=stream,
        disagreement=disagreement,
        baselines=fit_baselines(as_streams({METRIC: stream}, prefix="estimate")[0]),
        meant=fit_baselines(as_streams({METRIC: disagreement}, prefix="relation")[0]),
    )
