"""The rules of live traffic that act at once, where nothing is wrong: silence, labels that stop, refused rows.

Rows of B1. The product's own hours (`Seasons`, with its cache and its days) are entered one by one as they end, over 30
days of Poisson traffic that has nights, weekends, or both without a row, and whose labels come once a working day. Now
and then a client sends what is refused. Everything that is said is false. Controls: traffic that stops for good at the
busiest hour, and a column that stops coming.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.rows import Row
from benchmarks.statistics.doubt import rate_at_most, share_at_least
from benchmarks.statistics.months import spread
from benchmarks.target import Options
from gyroscope.clock import DAY_US, HOUR_US, SECOND_US, EventTime, day_of
from gyroscope.monitoring.cache import Cache
from gyroscope.monitoring.fold import Cell, Fold
from gyroscope.monitoring.hours import Hours
from gyroscope.monitoring.judging.completeness import moment_of_data
from gyroscope.monitoring.judging.seasons import Seasons
from gyroscope.records import Cause, Feature, Signature, Window
from gyroscope.settings import Monitoring
from gyroscope.stats.profiles import Layout, Profile

MODEL, VERSION = "m", "v"
SIGNATURE = Signature("binary", (Feature("age"), Feature("plan")))
MONDAY = EventTime(4 * DAY_US)  # 1970-01-05
DAYS, PER_DAY = 30, 24
HISTORIES = (0, 21, 49)
"""Days that are known before: none, enough for the hour of the day, and for the hour of the week."""

LOOK_US = 360 * SECOND_US
"""The loop looks at an hour six minutes after its end; without a row for five minutes the model is quiet."""

REFUSED, BURSTS = 0.02, 1 / 84
"""A share of the rows; and with bursts, twice a week one client's 10 to 60 in an hour, all of them refused."""

LABELS_AT = 9


CLAIMS = (
    ("stopped", "nights and weekends off: false incidents of rows or labels that stop", (False, True), 0.25),
    ("refused", "a client sends nonsense twice a week: false incidents of a refused column", (True,), 0.25),
    ("unusual", "nights and weekends off: false incidents of unusual hours", (False,), 1.0),
)
CONTROLS = (
    ("stopped", "control: traffic stops for good at noon, told of within three hours", 5.0),
    ("refused", "control: a column stops coming at noon, named within three hours", 100.0),
)
"""What breaks, and in traffic of how many rows an hour at least."""

ABOUT = {"stopped": "requests", "refused": "plan"}
WITHIN_US = 3 * HOUR_US
"""What an incident of a control must be about, and how soon after the fault began."""


class Pattern(NamedTuple):
    """Traffic of so many rows in a busy hour, with or without nights and weekends."""

    name: str
    level: float
    has_nights: bool
    has_weekends: bool

    def mean(self, hour: int) -> float:
        day, of_day = divmod(hour, PER_DAY)
        if (not self.has_nights and not 7 <= of_day < 20) or (not self.has_weekends and day % 7 >= 5):
            return 0.0
        weekly = 0.6 if day % 7 >= 5 else 1.0
        return self.level * weekly * float(np.exp(0.8 * np.sin((of_day - 9) / 12 * np.pi)))


PATTERNS = tuple(
    Pattern(f"{level:g} an hour, {name}", level, nights, weekends)
    for level in (0.5, 5.0, 100.0)
    for name, nights, weekends in (
        ("day and night", True, True),
        ("no nights", False, True),
        ("no weekends", True, False),
        ("office hours", False, False),
    )
)


class Job(NamedTuple):
    """One month: its seed, its traffic, the days known before, and at which of its hours what breaks."""

    seed: tuple[int, ...]
    pattern: Pattern
    history: int
    has_bursts: bool = False
    fault: str = ""
    fault_at: int = 0


def measure(options: Options) -> list[Row]:
    """Each pattern and history ten months (quick: one, and two histories), every second with bursts; and controls."""
    months, histories = (1, HISTORIES[:2]) if options.is_quick else (10, HISTORIES)
    jobs = [
        Job((options.seed, 41, place, history, month), pattern, history, has_bursts=bool((place + month) % 2))
        for place, pattern in enumerate(PATTERNS)
        for history in histories
        for month in range(months)
    ]
    found = list(zip(jobs, spread(said_of, jobs), strict=True))
    for pattern in PATTERNS:
        mine = [said for job, said in found if job.pattern == pattern]
        print(f"B1 {pattern.name}: {[kind for said in mine for kind in said]} in {len(mine)} months")
    rows = []
    for kind, words, bursts, most in CLAIMS:
        false = [said.count(kind) for job, said in found if job.has_bursts in bursts]
        rows.append(rate_at_most(("B1", words), sum(false), float(len(false)), most, is_quick=options.is_quick))
    return rows + [_control(options, months, *control) for control in CONTROLS]


def _control(options: Options, months: int, fault: str, words: str, least: float) -> Row:
    jobs = [
        Job((options.seed, 43, place, month), pattern, 21, fault=fault, fault_at=15 * PER_DAY + 12)
        for place, pattern in enumerate(PATTERNS)
        for month in range(months)
        if pattern.level >= least
    ]
    hits = sum(spread(is_told, jobs))
    return share_at_least(("B1", words), hits, len(jobs), 0.95, is_quick=options.is_quick)


def said_of(job: Job) -> list[str]:
    """What was said in one month: "stopped", "refused" or "unusual", one for each cause."""
    return [_kind(cause) for cause in _causes(job)]


def is_told(job: Job) -> bool:
    """Whether the fault of a month was told of."""
    return is_hit(_causes(job), job.fault, EventTime(MONDAY + (job.history * PER_DAY + job.fault_at) * HOUR_US))


def is_hit(causes: list[Cause], fault: str, began: EventTime) -> bool:
    """Whether one is about what the fault broke, came once it had begun, and soon."""
    return any(
        one.kind == "quality" and one.subjects == (ABOUT[fault],) and 0 <= one.since - began < WITHIN_US
        for one in causes
    )


def _causes(job: Job) -> list[Cause]:
    with tempfile.TemporaryDirectory() as folder:
        return _Month(job, Path(folder)).causes()


def _kind(cause: Cause) -> str:
    if cause.kind != "quality":
        return "unusual"
    return "refused" if cause.subjects[0] in SIGNATURE.names else "stopped"


class _Month:
    """A home of hours, and its traffic."""

    def __init__(self, job: Job, folder: Path) -> None:
        self._job, self._rng = job, np.random.default_rng(job.seed)
        self._first = job.history * PER_DAY
        self._cache = Cache(folder / "monitoring.db")
        self._seasons = Seasons(Monitoring(timezone="UTC"), self._cache, folder / "monitoring.db", self._complaints)
        self._refusals: dict[int, dict[str, int]] = {}

    def causes(self) -> list[Cause]:
        """All that is said while the hours end one by one."""
        for day in range(self._job.history):
            self._put(day, [self._hour(day * PER_DAY + of_day) for of_day in range(PER_DAY)])
        if self._job.history:
            self._look(self._first - 1)
        for hour in range(self._first, self._first + DAYS * PER_DAY):
            self._put(hour // PER_DAY, [self._hour(hour)])
            if hour % PER_DAY == LABELS_AT and hour // PER_DAY % 7 < 5 and not self._is_broken(hour, "stopped"):
                self._seasons.labels_came(MODEL)
            self._look(hour)
        found = self._seasons.causes(MODEL)
        self._seasons.close()
        self._cache.close()
        return found

    def _is_broken(self, hour: int, fault: str) -> bool:
        return self._job.fault == fault and hour >= self._first + self._job.fault_at

    def _look(self, hour: int) -> None:
        now = EventTime(MONDAY + (hour + 1) * HOUR_US + LOOK_US)
        newest = self._cache.newest(MODEL)
        if newest:
            moment = moment_of_data(newest, now, is_quiet=True)
            self._seasons.enter(MODEL, {VERSION: SIGNATURE}, 1.0, moment)

    def _hour(self, hour: int) -> tuple[int, np.ndarray]:
        """Rows of an hour, with latencies, scores and errors; a share of them is refused."""
        mean = self._job.pattern.mean(hour)
        n = 0 if self._is_broken(hour, "stopped") else int(self._rng.poisson(mean))
        refused = int(self._rng.binomial(n, 1.0 if self._is_broken(hour, "refused") else REFUSED))
        if n and self._job.has_bursts and self._rng.random() < BURSTS:
            burst = int(self._rng.integers(10, 61))
            n, refused = n + burst, refused + burst
        if refused:
            self._refusals[hour] = {f"column 'plan' does not come ({refused})": refused}
        scored = n - refused
        latency, said = self._rng.normal(-2, 0.3, n), self._rng.beta(2, 5, scored)
        return hour, np.array(
            [
                *(n, refused, n, n, latency.sum(), (latency**2).sum(), scored, scored),
                *((said > 0.5).sum(), said.sum(), (said**2).sum()),
            ],
            np.float64,
        )

    def _put(self, day: int, hours: list[tuple[int, np.ndarray]]) -> None:
        busy = [(hour, row) for hour, row in hours if row[0]]
        if not busy:
            return
        start = EventTime(MONDAY + day * DAY_US)
        starts = np.array([MONDAY + hour * HOUR_US for hour, _ in busy], np.int64)
        newest = int(starts[-1]) + HOUR_US - SECOND_US
        fold = Fold(
            profile=Profile.empty(Layout({})),
            answered=int(sum(row[0] for _, row in busy)),
            newest=newest,
            hours=Hours(starts, np.stack([row for _, row in busy])),
        )
        name = day_of(start, "UTC")
        self._cache.replace(MODEL, (), [(str(busy[0][0]), name, {Cell(VERSION, start, name): fold})])

    def _complaints(self, model: str, stretch: Window) -> dict[str, int]:
        return dict(self._within(stretch))

    def _within(self, stretch: Window) -> Iterator[tuple[str, int]]:
        for hour in range((stretch.start - MONDAY) // HOUR_US, (stretch.end - MONDAY) // HOUR_US):
            yield from self._refusals.get(hour, {}).items()
