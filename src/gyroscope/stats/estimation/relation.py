"""Whether scores still mean what they meant: streams for the engine, and the words for what it finds.

Monitoring passes mature windows; `stats.evidence` judges the streams. A disagreement alone is no change of the
relation: the estimator may be outside its support.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec
import numpy as np

from gyroscope.records import NotEnoughData
from gyroscope.stats.estimation.calibration import Calibration
from gyroscope.stats.estimation.estimator import Estimator
from gyroscope.stats.estimation.expected import ExpectedLoss, expected_loss
from gyroscope.stats.estimation.scores import Scores
from gyroscope.stats.performance.outcomes import Outcomes
from gyroscope.stats.performance.streams import PerformanceStream, Series
from gyroscope.stats.profiles.column import ColumnCounts
from gyroscope.stats.profiles.layout import NumericBins
from gyroscope.stats.profiles.profile import Profile
from gyroscope.stats.sums import as_float

LEAST_ROWS = 30
LEAST_ESS_SHARE = 0.1
MOST_OUTSIDE = 0.05


class Verdict(StrEnum):
    """What can be said when realised and estimated performance disagree, or when only the estimate is bad."""

    CHANGED = "relation changed"
    SUSPECTED = "suspected"
    OUTSIDE = "estimator outside its support"


class Support(msgspec.Struct, frozen=True):
    """How much of the reference resembles a window, and how much of the window is like nothing in the reference.

    Attributes
    ----------
    ess_share : float
        Effective share of the reference's rows once weighted like the window, of the column where it is least.
    outside_share : float
        Rows below, above or of a new category, of the column where they are most.
    """

    ess_share: float
    outside_share: float

    @property
    def is_enough(self) -> bool:
        """Whether the estimator may be believed there."""
        return self.ess_share >= LEAST_ESS_SHARE and self.outside_share <= MOST_OUTSIDE


def estimate_stream(
    estimator: Estimator, reference: Sequence[Outcomes], windows: Sequence[Scores], metric: str = "brier"
) -> PerformanceStream:
    """The estimated loss of windows as a stream of one side: what it finds is "suspected".

    Parameters
    ----------
    estimator : Estimator
    reference : sequence of Outcomes, length D
        The windows it was fitted on, in the same order.
    windows : sequence of Scores, length T
        All rows of later windows, labelled or not.
    metric : "brier" or "log_loss"

    Returns
    -------
    PerformanceStream

    Examples
    --------
    >>> from gyroscope.stats.estimation import fit_estimator
    >>> from gyroscope.stats.performance import tally
    >>> rng = np.random.default_rng(0)
    >>> days = [tally("binary", p, rng.random(400) < p) for p in rng.random((20, 400))]
    >>> stream = estimate_stream(fit_estimator(days), days, [Scores.of(np.full(400, 0.5))])
    >>> stream.reference.y.mean().round(1).tolist(), stream.current.y.round(2).tolist()
    (0.2, [0.25])
    """
    held_out = [Scores.from_outcomes(one) for one in reference if one.task == "binary" and one.n]
    before = [_estimated(scores, one, metric) for scores, one in zip(held_out, estimator.held_out, strict=True)]
    after = [_estimated(scores, estimator.calibration, metric) for scores in windows]
    return _stream(metric, 1, before, after)


def relation_stream(
    estimator: Estimator,
    reference: Sequence[Outcomes],
    windows: Sequence[Outcomes | NotEnoughData],
    metric: str = "brier",
) -> PerformanceStream:
    """Realised less estimated loss of the labelled rows of mature windows, as a stream of two sides.

    Parameters
    ----------
    estimator : Estimator
    reference : sequence of Outcomes, length D
        The windows it was fitted on, in the same order.
    windows : sequence of Outcomes or NotEnoughData, length T
        Mature windows; `NotEnoughData` for one that is not.
    metric : "brier" or "log_loss"

    Returns
    -------
    PerformanceStream

    Examples
    --------
    >>> from gyroscope.stats.estimation import fit_estimator
    >>> from gyroscope.stats.performance import tally
    >>> rng = np.random.default_rng(0)
    >>> days = [tally("binary", p, rng.random(400) < p) for p in rng.random((20, 400))]
    >>> turned = tally("binary", np.full(400, 0.8), np.zeros(400))
    >>> relation_stream(fit_estimator(days), days, [turned]).current.y.round(1).tolist()
    [0.5]
    """
    known = [one for one in reference if one.task == "binary" and one.n]
    before = [_residual(one, held_out, metric) for one, held_out in zip(known, estimator.held_out, strict=True)]
    after = [_residual(one, estimator.calibration, metric) for one in windows]
    return _stream(metric, 0, before, after)


def support_of(reference: Profile, current: Profile, columns: Sequence[str]) -> Support | NotEnoughData:
    """Whether an estimator that learned from the reference may be believed about a window.

    Parameters
    ----------
    reference, current : Profile
        On one layout.
    columns : sequence of str
        The output and the ten most important features.

    Returns
    -------
    Support or NotEnoughData

    Notes
    -----
    Weighted to the bin shares q of the window, N reference rows of shares p count as N / sum(q^2 / p) (Kish 1965);
    the chance part of the sum, (bins - 1) / n, is taken off. One column's share is the most that all together can be.

    Examples
    --------
    >>> from gyroscope.stats.profiles import fit_layout, profile
    >>> days = {"x": np.arange(1000.0)}
    >>> layout = fit_layout(days)
    >>> moved = support_of(profile(days, layout), profile({"x": np.arange(500.0, 1500.0)}, layout), ["x"])
    >>> moved.outside_share, moved.is_enough
    (0.5, False)
    """
    pairs = [(reference.columns[name], current.columns[name]) for name in columns if name in reference.columns]
    pairs = [(before, after) for before, after in pairs if before.n and after.n]
    if not pairs:
        return NotEnoughData("none of the columns has rows in both")
    return Support(min(_ess_share(*pair) for pair in pairs), max(_outside_share(after) for _, after in pairs))


def relation_verdict(support: Support | NotEnoughData) -> Verdict:
    """What an alarm of the relation stream means.

    Parameters
    ----------
    support : Support or NotEnoughData
        Of the windows since the change.

    Examples
    --------
    >>> relation_verdict(Support(0.8, 0.0)).value, relation_verdict(Support(0.01, 0.0)).value
    ('relation changed', 'estimator outside its support')
    """
    return Verdict.CHANGED if isinstance(support, Support) and support.is_enough else Verdict.OUTSIDE


def _estimated(scores: Scores, calibration: Calibration, metric: str) -> tuple[float, float, float]:
    found = expected_loss(metric, scores, calibration)
    return (found.value, found.of_scores, scores.n) if isinstance(found, ExpectedLoss) else (0.0, 0.0, 0)


def _residual(window: Outcomes | NotEnoughData, calibration: Calibration, metric: str) -> tuple[float, float, float]:
    if isinstance(window, NotEnoughData) or not window.n:
        return 0.0, 0.0, 0
    found = expected_loss(metric, Scores.from_outcomes(window), calibration)
    if isinstance(found, NotEnoughData):
        return 0.0, 0.0, 0
    support = window.support
    return as_float(window.sums[metric], window.n) - found.value, found.of_labels / support, window.n * support


def _stream(
    metric: str, side: int, before: list[tuple[float, float, float]], after: list[tuple[float, float, float]]
) -> PerformanceStream:
    reference, current = _series(before), _series(after)
    known = reference.is_known
    s2 = float((reference.within * reference.rows)[known].mean()) if known.any() else float("nan")
    return PerformanceStream("binary", metric, side, s2, reference, current)


def _series(points: list[tuple[float, float, float]]) -> Series:
    table = np.array(points, np.float64).reshape(-1, 3)
    table[table[:, 2] < LEAST_ROWS] = np.nan
    return Series(table[:, 0], table[:, 1], table[:, 2])


def _ess_share(before: ColumnCounts, after: ColumnCounts) -> float:
    p = (before.cells + 0.5) / (before.n + 0.5 * before.cells.size)
    q = after.cells / after.n
    excess = float(((q - p) ** 2 / p).sum()) - (p.size - 1) / after.n
    return 1 / (1 + max(excess, 0.0))


def _outside_share(column: ColumnCounts) -> float:
    if not isinstance(column.bins, NumericBins):
        return int(column.counts[-1]) / column.n  # of a new category
    return int(column.counts[0] + column.counts[-1]) / column.n if column.bins.edges else 0.0
