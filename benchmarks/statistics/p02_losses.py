"""P2: rows until a classifier that errs more often is noticed, and months that raise an alarm though nothing changed.

Errors are drawn, 250 rows a window; with an intraclass correlation the windows' own rates are Beta. The engine sees a
reference of 60 days, itself drawn, as accuracy on the arcsine scale, in windows as later ones are cut.
"""

from __future__ import annotations

import msgspec
import numpy as np

from benchmarks.rows import Row, at_most
from benchmarks.statistics.doubt import share_at_most
from benchmarks.statistics.simulation import clustered_shares
from benchmarks.target import Options
from gyroscope.stats.evidence import Baselines, Family, Streams, fit_baselines, replay, stream
from gyroscope.stats.performance import TOLERANCE, arcsine_point

ROWS, PER_DAY, REFERENCE_DAYS, CLEAN_DAYS = 250, 4, 60, 10
BEFORE, BUDGET = 0.10, 0.05
BOUNDS = {(0.0, 0.12): 5_000, (0.0, 0.15): 1_500, (0.0, 0.20): 750, (0.005, 0.15): 3_000, (0.005, 0.20): 1_250}
WAIT = 120
"""Windows after the change in which it must be seen; later counts as never."""

Rng = np.random.Generator


def measure(options: Options) -> list[Row]:
    """400 months in each cell; 60 in a quick run."""
    n, rng = 60 if options.is_quick else 400, np.random.default_rng((2, options.seed))
    rows = []
    for icc in (0.0, 0.005):
        false = sum(_first_alarm(icc, BEFORE, 0, 30 * PER_DAY, rng) is not None for _ in range(n))
        claim = f"null months with an alarm, ICC {icc}, budget {BUDGET}"
        rows.append(share_at_most(("P2", claim), false, n, 0.05, is_quick=options.is_quick))
    for (icc, after), bound in BOUNDS.items():
        needed = np.array([_rows_needed(icc, after, rng) for _ in range(n)])
        claim = (
            f"rows for errors 10 -> {100 * after:.0f} %, ICC {icc}, median; 90 % within {np.quantile(needed, 0.9):,.0f}"
        )
        made = at_most("P2", claim, float(np.median(needed)), bound, "rows", n)
        # A quick run falls short where surely more than half of the months need more.
        beyond = share_at_most(("P2", claim), int((needed > bound).sum()), n, 0.5, is_quick=options.is_quick)
        rows.append(msgspec.structs.replace(made, holds=made.holds or (options.is_quick and beyond.holds)))
    return rows


def _rows_needed(icc: float, after: float, rng: Rng) -> float:
    """Rows from the change on; an alarm before it is false and does not count: the detector has started again."""
    alarm = _first_alarm(icc, after, CLEAN_DAYS * PER_DAY, WAIT, rng)
    return np.inf if alarm is None else ROWS * (alarm + 1)


def _first_alarm(icc: float, after: float, clean: int, changed: int, rng: Rng) -> int | None:
    """Windows after the change until the first alarm that is not before it."""
    normal = _normal(icc, rng)
    rates = np.repeat((BEFORE, after), (clean, changed))
    course = replay(
        Family("performance", normal), _accuracy(rates, icc, rng), np.full(rates.size, 1 / PER_DAY), false_alarms=BUDGET
    )
    found = [alarm.at - clean for alarm in course.alarms if alarm.at >= clean]
    return found[0] if found else None


def _normal(icc: float, rng: Rng) -> Baselines:
    return fit_baselines(_accuracy(np.full(REFERENCE_DAYS * PER_DAY, BEFORE), icc, rng))


def _accuracy(rates: np.ndarray, icc: float, rng: Rng) -> Streams:
    wrong = rng.binomial(ROWS, clustered_shares(rates, icc, rng))
    points = [arcsine_point(ROWS - int(errors), ROWS) for errors in wrong]
    y, within = np.array([point.y for point in points]), np.full(rates.size, 1 / ROWS)
    return stream("performance:accuracy", y, within, side=-1, tolerance=TOLERANCE)
