"""Performance without labels: what a window's scores are worth by the reference, as streams and as estimates to draw.

`Normal` keeps one of these for a binary model with labelled reference windows. Pure.
"""

from __future__ import annotations

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
from gyroscope.stats.evidence import Baselines, Streams, fit_baselines
from gyroscope.stats.performance import Estimate, Outcomes, PerformanceStream, as_streams
from gyroscope.stats.profiles import Profile

METRIC = "brier"
LEAST_ROWS = 30
DRAWN = ("brier", "accuracy", "auc")
MOST_COLUMNS = 10

Values = dict[str, tuple[float, float]]


class Estimates(msgspec.Struct, frozen=True, eq=False):
    """The estimator, the outcomes it was fitted on, and what its estimates of normal windows are like."""

    signature: Signature
    estimator: Estimator
    outcomes: tuple[Outcomes, ...]
    baselines: Baselines

    def of(self, windows: Sequence[Profile]) -> list[tuple[Values, dict[str, tuple[float, float, float]]]]:
        """Of each window the values of its streams, and its estimated metrics with their intervals."""
        scores = [self._scores(one) for one in windows]
        current = estimate_stream(self.estimator, self.outcomes, scores, METRIC).current
        found: list[tuple[Values, dict[str, tuple[float, float, float]]]] = []
        for some, y, within in zip(scores, current.y.tolist(), current.within.tolist(), strict=True):
            if some.n < LEAST_ROWS:
                found.append(({}, {}))
                continue
            values = self.estimator.estimate(some)
            drawn = {name: one for name in DRAWN if isinstance(one := values[name], Estimate)}
            bounds = {name: (one.value, one.low, one.high) for name, one in drawn.items()}
            found.append(({f"estimate:{METRIC}": (y, within)}, bounds))
        return found

    def stream(self) -> PerformanceStream:
        """The stream of estimates, for its scale."""
        return estimate_stream(self.estimator, self.outcomes, [], METRIC)

    def relation(self, later: Sequence[Outcomes]) -> tuple[Baselines, Streams, PerformanceStream]:
        """What labels said less what was estimated, over mature windows."""
        stream = relation_stream(self.estimator, self.outcomes, later, METRIC)
        before, after = as_streams({METRIC: stream}, prefix="relation", tolerance=0.0)
        return fit_baselines(before), after, stream

    def is_inside(self, total: Profile, current: Profile) -> bool:
        """Whether these rows resemble enough of those that the estimator has learned from."""
        columns = [*self.signature.as_logged.names[:MOST_COLUMNS], self.signature.output]
        return relation_verdict(support_of(total, current, columns)) is Verdict.CHANGED

    def _scores(self, window: Profile) -> Scores:
        return Scores.from_column(window.columns[self.signature.output], self.signature.threshold)


def estimates_of(signature: Signature, outcomes: Sequence[Outcomes]) -> Estimates | NotEnoughData:
    """Learn to estimate; `NotEnoughData` says why there are no estimates."""
    if signature.task != "binary":
        return NotEnoughData("performance is estimated for binary models only")
    estimator = fit_estimator(outcomes)
    if isinstance(estimator, NotEnoughData):
        return estimator
    before, _ = as_streams({METRIC: estimate_stream(estimator, outcomes, [], METRIC)}, prefix="estimate", tolerance=0.0)
    return Estimates(signature, estimator, tuple(outcomes), fit_baselines(before))
