"""O10: a metric that flaps at its threshold for fifty windows, and one broken column that feeds forty features.

The product's own rules, incidents and outbox on real files. Every kind of flapping is watched by rules without any
hysteresis, the worst there is, in windows of an hour and of a day; the column breaks as in B1, judged by the monitors,
with a rule on every column beside them.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np

from benchmarks.rows import Row, at_most, control, with_control
from benchmarks.statistics.b01_broken import BREAKS_AT, FAULTS, LATER, REFERENCE, World, causes_of, normal_of
from benchmarks.target import Options
from gyroscope.alerts import Incident, Incidents, watch
from gyroscope.alerts.outbox import Outbox
from gyroscope.alerts.watch import Rules
from gyroscope.clock import DAY_US, EventTime
from gyroscope.records import Judged, Signal
from gyroscope.settings_alerts import RuleSettings
from gyroscope.signals.store import Signals

WINDOWS, THRESHOLD = 50, 0.2
HOUR_US = DAY_US // 24
WALL = EventTime(40_000 * DAY_US)
NEAR_US = 3 * DAY_US
FLAPPING: dict[str, Callable[[int, random.Random], float]] = {
    "in and out": lambda at, _: 0.3 if at % 2 else 0.1,
    "two in, two out": lambda at, _: 0.3 if at % 4 < 2 else 0.1,
    "one in six": lambda at, _: 0.1 if at % 6 else 0.3,
    "noise": lambda _, rng: rng.gauss(THRESHOLD, 0.02),
    "a drawn coin": lambda _, rng: rng.choice((0.1, 0.3)),
    "a slow wave and noise": lambda at, rng: THRESHOLD + 0.02 * math.sin(at / 4) + rng.gauss(0, 0.02),
}


class Home:
    """Signals, incidents and rules in one file, and one notifier whose letters are counted."""

    def __init__(self, folder: Path, rules: dict[str, RuleSettings], window_us: int) -> None:
        db = folder / "state.db"
        self.signals, self.outbox = Signals(db), Outbox(db)
        self.incidents = Incidents(db, notifiers=("team",))
        self._rules = Rules(rules, db, self.signals, self.incidents, lambda model, version, now: WALL, window_us)

    def put(self, name: str, at: int, value: float, **labels: str) -> None:
        more = tuple(sorted({"model": "m", "version": "v", **labels}.items()))
        self.signals.put([Signal(name, EventTime(at), value, more)])

    def look(self) -> None:
        self._rules.run_once(WALL)

    def told(self) -> int:
        return self.outbox.count("team", "waiting")


def measure(options: Options) -> list[Row]:
    """Each kind of flapping 40 times (5 in the quick run), and 50 broken columns (10)."""
    seeds, broken = (5, 10) if options.is_quick else (40, 50)
    counts = [
        (_flapped(options.folder / f"{kind} {seed} {length}", kind, options.seed * 1_000 + seed, length), kind)
        for kind in FLAPPING
        for seed in range(seeds)
        for length in (HOUR_US, DAY_US)
    ]
    most, worst = max(counts)
    with mock.patch.object(watch, "SOON_WINDOWS", 0):
        sabotaged = _flapped(options.folder / "control", "in and out", options.seed, DAY_US)
    claim = f"most notifications of a metric that flaps for {WINDOWS} windows ({worst})"
    flapping = [at_most("O10", claim, most, 2, "notifications", len(counts))]
    check = control("O10", "what is back is another incident", max(0, sabotaged - 2), "notifications", 1)
    found = [_broken(options.folder / f"broken {run}", options.seed, run) for run in range(broken)]
    return [*with_control(flapping, check), *rows_of(found)]


def rows_of(found: list[tuple[list[Incident], int]]) -> list[Row]:
    """What the runs with a broken column say: no incident is as wrong as two, one that was closed again counts too."""
    broken = len(found)
    told = max(notifications for _, notifications in found)
    one = sum(len(incidents) == 1 for incidents, _ in found)
    missing = [incidents for run, (incidents, _) in enumerate(found) if run % len(FAULTS) == 0]
    wrong = max(abs(len(incidents) - 1) for incidents in missing)
    claim = "a column and its 40 features go missing: furthest from 1 incident"
    return [
        at_most("O10", claim, wrong, 0, "incidents", len(missing)),
        at_most("O10", "a column breaks in any way: runs without just 1", broken - one, 0.05 * broken, "runs", broken),
        at_most("O10", "most notifications of a broken column", told, 2, "notifications", broken),
    ]


def _flapped(folder: Path, kind: str, seed: int, length_us: int) -> int:
    """How often somebody was told, with one window after another."""
    rng = random.Random(f"{kind} {seed}")
    rule = RuleSettings(signal="drift", threshold=THRESHOLD)
    with _home(folder, {"wide": rule}, length_us) as home:
        for at in range(WINDOWS):
            home.put("drift", at * length_us, FLAPPING[kind](at, rng), column="age")
            home.look()
        return home.told()


def _broken(folder: Path, seed: int, run: int) -> tuple[list[Incident], int]:
    """The incidents that page from the day of the fault on, and how often somebody was told of them."""
    world = World(np.random.default_rng([seed, 23, run]))
    normal = normal_of(world.days(REFERENCE))
    later = world.days(LATER, list(FAULTS)[run % len(FAULTS)])
    with _home(folder, {"holes": RuleSettings(signal="missing_share", threshold=0.5)}, DAY_US) as home:
        for name, values in later.columns.items():
            for day in range(LATER):
                share = float(np.isnan(values[later.day == day]).mean())
                home.put("missing_share", (REFERENCE + day) * DAY_US, share, column=name)
        home.look()
        causes = tuple(causes_of(normal, later))
        home.incidents.take("m", Judged(causes, {}, NEAR_US, WALL))
        home.look()
        since = (REFERENCE + BREAKS_AT - 1) * DAY_US
        pages = [one for one in home.incidents.all() if one.pages and one.since >= since]
        return pages, home.told()


@contextmanager
def _home(folder: Path, rules: dict[str, RuleSettings], window_us: int) -> Iterator[Home]:
    folder.mkdir()
    home = Home(folder, rules, window_us)
    try:
        yield home
    finally:
        home.signals.close()
