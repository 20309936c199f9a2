"""B1: one broken column that feeds forty features, and a feature that moves and that the model ignores.

The product's own judging and grouping, from rows to incidents: a reference of 30 days, 12 days of production with
labels; one source, 40 features computed from it with noise of their own, 10 others. What breaks: the source is missing,
constant, in another unit, of another sign, or random, and with it everything computed from it.
"""

from __future__ import annotations

from functools import reduce
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from benchmarks.rows import Row
from benchmarks.statistics import silence
from benchmarks.statistics.doubt import share_at_least, share_at_most
from benchmarks.target import Options
from gyroscope.alerts.grouping import Group, group
from gyroscope.clock import DAY_US, EventTime
from gyroscope.models.reference import build_reference
from gyroscope.monitoring.judging.basis import basis_of
from gyroscope.monitoring.judging.causes import About
from gyroscope.monitoring.judging.judge import NEAR_WINDOWS
from gyroscope.monitoring.judging.normal import Labelled, Normal, Rows, learn
from gyroscope.monitoring.judging.verdicts import Case, Verdicts
from gyroscope.monitoring.references import standard_of
from gyroscope.records import Cause, Feature, Signature, Version, Window
from gyroscope.settings import Monitoring
from gyroscope.settings_models import ModelMonitor
from gyroscope.stats.performance import tally
from gyroscope.stats.profiles import Profile, profile

REFERENCE, LATER, BREAKS_AT, ROWS = 30, 12, 4, 300
DERIVED, OTHERS = 40, 10
NAMES = [*(f"feature_{k}" for k in range(DERIVED)), *(f"other_{k}" for k in range(OTHERS)), "source"]
IGNORED = "other_9"
SIGNATURE = Signature("binary", tuple(Feature(name) for name in NAMES))
POLICY = ModelMonitor()
"""Nobody says in `made_from` what is computed from what: it has to be seen in how the columns move together."""

FAULTS = {
    "missing": lambda x, rng: np.full_like(x, np.nan),
    "constant": lambda x, rng: np.zeros_like(x),
    "another unit": lambda x, rng: x * 1000,
    "another sign": lambda x, rng: -x,
    "random": lambda x, rng: rng.uniform(-100, 100, x.size),
}


class Days(NamedTuple):
    """Rows of consecutive days: columns, outputs, labels, and which day each row belongs to."""

    columns: dict[str, np.ndarray]
    outputs: np.ndarray
    labels: np.ndarray
    day: np.ndarray


class World:
    """How the features come about, and what the model makes of them; drawn once a run."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.slopes = rng.uniform(0.5, 2, DERIVED) * rng.choice([-1, 1], DERIVED)
        self.reads = rng.normal(0, 0.15, DERIVED + OTHERS)
        self.reads[-1] = 0.0  # the model ignores the last one

    def days(self, count: int, fault: str = "") -> Days:
        """Normal days; with a fault from the day `BREAKS_AT` on. Labels come from what is true, not from what came."""
        day = np.repeat(np.arange(count), ROWS)
        source = 12 + 3 * self._normal(count)
        noise = np.stack([self._normal(count) for _ in range(DERIVED + OTHERS)])
        truth = self._features(source, noise)
        came = source.copy()
        if fault:
            came[day >= BREAKS_AT] = FAULTS[fault](source[day >= BREAKS_AT], self.rng)
        given = self._features(came, noise)
        labels = (self.rng.random(day.size) < self._predict(truth)).astype(float)
        columns = dict(zip(NAMES, [*given, came], strict=True))
        return Days(columns, self._predict(given), labels, day)

    def _features(self, source: np.ndarray, noise: np.ndarray) -> np.ndarray:
        return np.concatenate((self.slopes[:, np.newaxis] * source + noise[:DERIVED], noise[DERIVED:]))

    def _predict(self, features: np.ndarray) -> np.ndarray:
        usual = np.concatenate((self.slopes * 12, np.zeros(OTHERS)))[:, np.newaxis]
        return expit(-1 + self.reads @ np.nan_to_num((features - usual) / 3))

    def _normal(self, count: int) -> np.ndarray:
        """Rows that share a little of their day: an intraclass correlation of 0.01."""
        return np.repeat(self.rng.normal(0, 0.1, count), ROWS) + self.rng.normal(size=count * ROWS)


def measure(options: Options) -> list[Row]:
    """A run per fault in turn, and a pair of runs with and without a shift; 30 of each quickly, 300 in full."""
    runs = 30 if options.is_quick else 300
    rng = np.random.default_rng([options.seed, 17])
    quick = {"is_quick": options.is_quick}
    one, named, moved = 0, 0, 0
    for run in range(runs):
        world = World(rng)
        normal = normal_of(world.days(REFERENCE))
        pages = pages_of(normal, world.days(LATER, list(FAULTS)[run % len(FAULTS)]))
        at_fault = [page.root for page in pages if page.root.since >= (REFERENCE + BREAKS_AT - 1) * DAY_US]
        one += len(at_fault) == 1
        named += bool(at_fault) and at_fault[0].subjects[0] == "source"
        calm = world.days(LATER)
        moved += len(pages_of(normal, _shifted(calm, world))) > len(pages_of(normal, calm))
    claims = (
        "one broken column feeding 40 features: runs with one incident",
        "one broken column feeding 40 features: it is named",
        "a feature that the model ignores moves by 1 sd: runs that page for it",
    )
    return [
        share_at_least(("B1", claims[0]), one, runs, 0.95, **quick),
        share_at_least(("B1", claims[1]), named, runs, 0.95, **quick),
        share_at_most(("B1", claims[2]), moved, runs, 0.05, **quick),
        *silence.measure(options),
    ]


def _shifted(calm: Days, world: World) -> Days:
    later = calm.columns[IGNORED] + (calm.day >= BREAKS_AT) * world.rng.choice([-1.0, 1.0])
    return calm._replace(columns={**calm.columns, IGNORED: later})


def normal_of(days: Days) -> Normal:
    times = days.day.astype(np.int64) * DAY_US
    reference = build_reference(SIGNATURE, days.columns, days.outputs, days.labels, times)
    version = Version("m", "v", "external", "", "", SIGNATURE, EventTime(0))
    return learn(basis_of(standard_of(version, reference, "planted"), [], []), [], SIGNATURE, POLICY)


def pages_of(normal: Normal, days: Days) -> list[Group]:
    """The incidents that page."""
    every = group(causes_of(normal, days), NEAR_WINDOWS * DAY_US)
    return [one for one in every if any(cause.pages for cause in one.causes)]


def causes_of(normal: Normal, days: Days) -> list[Cause]:
    """What the monitors are sure of after these days."""
    days_after = [EventTime((REFERENCE + at) * DAY_US) for at in range(LATER)]
    windows = [Window(start, EventTime(start + DAY_US)) for start in days_after]
    cuts = [slice(at * ROWS, (at + 1) * ROWS) for at in range(LATER)]
    came = {**days.columns, "probability": days.outputs}
    profiles = [profile({name: one[cut] for name, one in came.items()}, normal.total.layout) for cut in cuts]
    outcomes = [tally("binary", days.outputs[cut], days.labels[cut]) for cut in cuts]
    rows = normal.enter([Rows(window, one, ROWS) for window, one in zip(windows, profiles, strict=True)])
    labels = normal.label([Labelled(window, ROWS, one) for window, one in zip(windows, outcomes, strict=True)])

    def merged(about: About, stretch: Window) -> Profile:
        pairs = zip(windows, profiles, strict=True)
        return reduce(Profile.merge, [one for window, one in pairs if stretch.start <= window.start < stretch.end])

    known = dict(zip(windows, outcomes, strict=True))
    case = Case(About("m", "v"), normal, tuple(rows), tuple(labels))
    verdicts = Verdicts(Monitoring(), merged, lambda _, stretch: [known[one].to_bytes() for one in stretch], _no_losses)
    return verdicts.of([case], 1.0, EventTime(0))[0]


def _no_losses(about: About, window: Window) -> None:
    """Nobody asks where a fall of performance comes from."""
