"""Where the demo lives: a home of its own below the current folder, registered, started and taken away again.

`run.py` and the journeys call this. It uses the same doors as a user: settings file, model store, `up`, `down`.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal

import msgspec

from gyroscope.assembly import House, down
from gyroscope.clock import wall_now
from gyroscope.demo.flights import FEATURES, ZONE
from gyroscope.demo.retrain import SIGNATURE
from gyroscope.demo.train import Trained
from gyroscope.models.blocks import Blocks
from gyroscope.models.reference import build_reference
from gyroscope.models.signature import write_signature
from gyroscope.models.store import Candidate
from gyroscope.records import Route, Version
from gyroscope.retraining.trainer import Limits, look

MODEL, PLANS = "flights", "plans"
FOLDER = ".gyroscope-demo"
SETTINGS = """\
# The demo's settings: what it changes against the defaults.
home: home
door: {{port: {port}}}
monitoring: {{window: 1d, timezone: {zone}}}
# Everything acts by itself; seconds are the machine's, days and labels those of the flights.
loops: {{scaling: act, retraining: act, promotion: act, rollback: act}}
rollouts: {{steps: [0.1, 0.5], step_s: 1, most_errors: 0.02, most_slow: 0.3, holdback_s: 2, warm_s: 20}}
models:
  flights:
    # The summer timetable has destinations that winter had not: that is no broken data.
    monitor: {{ignore: [dest]}}
    retrain: {{train: "train.py:train", least_rows: 10000, every_days: 30, cool_down_hours: 336, timeout_s: 300,
               folds: 2}}
  # The same model for those who plan: whole tables at once, and nobody tells how it ended.
  plans:
    replicas: {{min: 1, max: 2}}
    shrink_after_s: 5
    slo: {{p99_ms: 20}}
    keep_one_in: 100
    monitor: {{enabled: false}}
"""
TRAIN = """\
# Called by the house's own trainer with all labelled rows of the log.
from functools import partial
from pathlib import Path

from gyroscope.demo.retrain import {function}

train = partial({function}, Path(__file__).parent)
"""


class Place(msgspec.Struct, frozen=True):
    """The folder of one demo."""

    folder: Path

    @property
    def settings(self) -> Path:
        return self.folder / "gyroscope.yaml"

    def make(self, port: int, function: Literal["challenger", "equal"]) -> None:
        """A clean folder; what an earlier demo left running here is stopped first. `function` makes challengers."""
        self.clear()
        self.folder.mkdir(parents=True)
        (self.folder / "train.py").write_text(TRAIN.format(function=function), encoding="utf-8")
        self.settings.write_text(SETTINGS.format(port=port, zone=ZONE), encoding="utf-8")

    def stop(self) -> None:
        """Stop everything; tables and logs stay."""
        if self.settings.is_file():
            down(self.settings)
            self._end_trainings(House(self.settings))

    def clear(self) -> None:
        """Stop everything and take the folder away, whatever state it is in."""
        if self.settings.is_file():
            runtime = House(self.settings).runtime
            self.stop()
            shutil.rmtree(runtime, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    @staticmethod
    def _end_trainings(house: House) -> None:
        """A trainer outlives its house on purpose; the demo's does not outlive the demo."""
        for one in house.trainings.every(MODEL) if house.home.is_dir() else []:
            if one.state == "running":
                look(house.home / "trainings" / f"{MODEL}-{one.number}", Limits(timeout_s=0.0), wall_now())


def register(house: House, place: Place, trained: Trained) -> Version:
    """Add the first model with its held-out, day-blocked reference and give it all of the traffic."""
    candidate = Candidate(MODEL, "lightgbm", trained.signature, trained.artifact, notes=("the first model",))
    version = house.models.add(candidate, wall_now())
    write_signature(trained.signature, place.folder / SIGNATURE)
    flights = trained.flights
    reference = build_reference(
        trained.signature,
        {name: flights.columns[name] for name in FEATURES},
        trained.held_out,
        flights.late.astype(float),
        flights.departs,
        Blocks(zone=ZONE),
    )
    house.models.put_reference(version, reference)
    house.routes.set_route(Route(MODEL, version.version), reason="the demo's first version", now=wall_now())
    return version


def register_plans(house: House, trained: Trained) -> None:
    """The same model for those who ask for whole tables."""
    version = house.models.add(Candidate(PLANS, "lightgbm", trained.signature, trained.artifact), wall_now())
    house.routes.set_route(Route(PLANS, version.version), reason="the demo's first version", now=wall_now())


def offer(house: House, artifact: Path) -> Version:
    """Have a version wait for its turn as a challenger, as `gyro models add` and `gyro rollouts start` do."""
    version = house.models.add(Candidate(MODEL, "lightgbm", house.signature_of(MODEL), artifact), wall_now())
    house.challengers.propose(MODEL, version.version, "somebody", wall_now())
    return version
