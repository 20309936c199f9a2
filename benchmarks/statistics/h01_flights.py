"""H1 and H2: days of 2013 on which a model trained on January and February did harm, and which were told.

H1 flags days without the labels of that day, and with those that landed by four in the afternoon; H2 counts incidents
of the realised loss. A harmful day has a Brier score 0.05 above the mean day of the held-out reference.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchmarks.rows import Row, at_least, at_most
from benchmarks.statistics.flights import Rows, Year, load_year
from benchmarks.target import Options
from gyroscope.records import NotEnoughData
from gyroscope.stats.estimation import Estimator, FirstLabels, fit_estimator, fit_first_labels, least_chance, track
from gyroscope.stats.evidence import Family, Streams, fit_baselines, replay, stream
from gyroscope.stats.performance import as_streams, matters_at, performance_streams

HARM, HOUR, FLAGGED = 0.05, 16, 0.8
HALF_LIVES = (1, 2, 3, 4, 6, 12, 24)
"""Hours; with the last all flights that have landed by 16:00 count nearly alike."""
BLOCK_DAYS, MONTH = 7, 30

Array = np.ndarray


def measure(options: Options) -> list[Row]:
    """One year; the bootstrap and the resampled months follow the seed."""
    rng = np.random.default_rng((8, options.seed))
    year = load_year(options.folder)
    rows = []
    if "H1" in options.ids:
        rows += flagged_days(year, rng)
    if "H2" in options.ids:
        rows += incidents(year, 100 if options.is_quick else 1_000, rng)
    return rows


class Flags(NamedTuple):
    """Of each later day whether it was harmful, and whether it was told, by what."""

    harmful: Array
    without_labels: Array
    by_afternoon: Array
    no_label_ever: Array
    yesterday: Array


def flags_of(year: Year) -> Flags:
    """Days whose estimate is beyond the 80 % point of the reference's; see `_with_first_labels` for the afternoon."""
    estimator = fit_estimator(year.reference.outcomes())
    assert isinstance(estimator, Estimator)
    told = track(estimator, year.later.scores(), year.later.outcomes())
    plain = track(estimator, year.later.scores(), [NotEnoughData("no label at all")] * len(year.later.names))
    before = brier_by_day(year.reference)
    limit = before.mean() + HARM
    threshold = np.quantile(before - estimator.residuals["brier"] + estimator.bias("brier"), FLAGGED)
    return Flags(
        told.realised >= limit,
        told.estimate >= threshold,
        _with_first_labels(year, estimator, limit),
        plain.estimate >= threshold,
        np.r_[False, told.realised[:-1] >= np.quantile(before, FLAGGED)],
    )


def flagged_days(year: Year, rng: np.random.Generator) -> list[Row]:
    """H1."""
    flags = flags_of(year)
    base, n = float(flags.harmful.mean()), flags.harmful.size
    without, early, no_labels, yesterday = (_told(flags.harmful, one, rng) for one in flags[1:])
    beside = f"no label ever: {no_labels.words}; yesterday's loss: {yesterday.words}"
    print(
        f"H1: {n} days, {base:.0%} harmful; no label of the day {without.words}; by {HOUR}:00 {early.words}; {beside}"
    )
    claim = f"precision / base rate of {base:.2f}, no label of the day"
    return [
        at_least("H1", claim, without.precision / base, 2.0, without.unit, n, beside),
        at_least("H1", "recall, no label of the day", without.recall, 0.6, "share", n),
        at_least("H1", f"precision with labels landed by {HOUR}:00", early.precision, 0.75, early.unit, n),
        at_least("H1", f"recall with labels landed by {HOUR}:00", early.recall, 0.55, "share", n),
    ]


def incidents(year: Year, months: int, rng: np.random.Generator) -> list[Row]:
    """H2."""
    streams = performance_streams(year.reference.outcomes(), year.later.outcomes(), ["brier"])
    days = opened(*as_streams(streams))
    names = [year.later.names[at] for at in days]
    print(f"H2: incidents on {', '.join(names)}")
    april = sum(name.startswith("2013-04") for name in names)
    summer = sum("2013-06-20" <= name <= "2013-07-15" for name in names)
    reference = as_streams(streams)[0]
    false = sum(_false_incidents(reference, rng) for _ in range(months)) / months
    return [
        at_most(
            "H2",
            f"incidents in ten months: {', '.join(name[5:] for name in names)}",
            len(names),
            10,
            "",
            len(year.later.names),
        ),
        at_least("H2", "incidents that open in April", april, 1, "", 1),
        at_least("H2", "incidents that open between 20 June and 15 July", summer, 1, "", 1),
        at_most(
            "H2",
            "incidents a month where days are the reference's, in blocks of seven",
            false,
            1.0,
            "per month",
            months,
        ),
    ]


def opened(reference: Streams, current: Streams) -> list[int]:
    """The windows on which incidents open: alarms at one a month that surely matter."""
    baselines = fit_baselines(reference)
    course = replay(Family("performance", baselines), current, np.ones(current.windows))
    found = [matters_at(alarm, current, baselines) for alarm in course.alarms]
    return [window for window in found if not isinstance(window, NotEnoughData)]


class _Told:
    """Flagged days against harmful ones."""

    def __init__(self, harmful: Array, flagged: Array, error: float) -> None:
        hits = int((harmful & flagged).sum())
        self.flagged = int(flagged.sum())
        self.precision, self.recall = hits / max(self.flagged, 1), hits / max(int(harmful.sum()), 1)
        self.unit = f"share, se {error:.2f}"
        self.words = f"{self.precision:.2f} at recall {self.recall:.2f} ({self.flagged} days)"


def _told(harmful: Array, flagged: Array, rng: np.random.Generator) -> _Told:
    """With the standard error of the precision over resampled weeks."""
    starts = rng.integers(0, harmful.size, (400, -(-harmful.size // BLOCK_DAYS)))
    days = (starts[:, :, np.newaxis] + np.arange(BLOCK_DAYS)).reshape(400, -1) % harmful.size
    hits, said = (harmful & flagged)[days].sum(axis=1), flagged[days].sum(axis=1)
    return _Told(harmful, flagged, float((hits / np.maximum(said, 1)).std()))


def _with_first_labels(year: Year, estimator: Estimator, limit: float) -> Array:
    """Days as likely harmful, by the labels so far, as it takes: half-life and chance are the reference's own."""
    held_out, whole = estimator.held_out, estimator.residuals["brier"]
    expected = brier_by_day(year.reference) - whole

    def fitted(half_life: float) -> tuple[FirstLabels, Array, float]:
        first = _first_residuals(year.reference, lambda day: held_out[day], half_life)
        found = fit_first_labels(first, whole)
        assert not isinstance(found, NotEnoughData)
        return found, first, half_life

    learned, first, half_life = min(map(fitted, HALF_LIVES), key=lambda one: one[0].error)
    told_from = least_chance(_chances(learned, expected, first, limit))
    later = _first_residuals(year.later, lambda _: estimator.calibration, half_life)
    return _chances(learned, _expected(year.later, estimator), later, limit) >= told_from


def _chances(learned: FirstLabels, expected: Array, first: Array, limit: float) -> Array:
    return np.array([learned.chance(one, two, limit) for one, two in zip(expected, first, strict=True)])


def _expected(rows: Rows, estimator: Estimator) -> Array:
    found = [estimator.expected(scores)["brier"] for scores in rows.scores()]
    return np.array(found, np.float64) - estimator.bias("brier")


def _first_residuals(rows: Rows, calibration, half_life: float) -> Array:
    """Per day the mean of realised less expected loss of the flights that had landed by the hour.

    A flight counts half of one that was to leave a half-life later: delays grow over a day.
    """
    there, off = rows.landed_by(HOUR), np.zeros(len(rows.late))
    weight = 0.5 ** (-rows.flights.columns["departure_minute"] / 60 / half_life)
    for day in range(len(rows.names)):
        mine = rows.day == day
        s, share = rows.score[mine], calibration(day)(rows.score[mine])
        off[mine] = (s - rows.late[mine]) ** 2 - (s**2 * (1 - share) + (1 - s) ** 2 * share)
    return rows.mean(off * weight, there) / rows.mean(weight, there)


def brier_by_day(rows: Rows) -> Array:
    """The mean loss of the flights that arrived."""
    return rows.mean((rows.score - rows.late) ** 2, rows.late >= 0)


def _false_incidents(reference: Streams, rng: np.random.Generator) -> int:
    """A reference and a month drawn afresh in weeks from the same two months: incidents are false."""
    days = reference.windows
    normal, month = (_weeks(reference, length, rng) for length in (days, MONTH))
    return len(opened(normal, month))


def _weeks(streams: Streams, length: int, rng: np.random.Generator) -> Streams:
    starts = rng.integers(0, streams.windows - BLOCK_DAYS + 1, -(-length // BLOCK_DAYS))
    days = (starts[:, np.newaxis] + np.arange(BLOCK_DAYS)).ravel()[:length]
    return stream(streams.names[0], streams.y[0, days], streams.within[0, days], side=1)
