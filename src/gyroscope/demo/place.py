"""Where the demo lives: a home of its own below the current folder, registered, started and taken away again.

`run.py` and the journeys call this. It uses the same doors as a user: settings file, model store, `up`, `down`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from gyroscope.assembly import House, down
from gyroscope.clock import wall_now
from gyroscope.demo.flights import FEATURES, ZONE
from gyroscope.demo.train import Trained
from gyroscope.models.blocks import Blocks
from gyroscope.models.reference import build_reference
from gyroscope.models.store import Candidate
from gyroscope.records import Route, Size, Version

MODEL = "flights"
FOLDER = ".gyroscope-demo"
SETTINGS = """\
# The demo's settings: what it changes against the defaults.
home: home
door: {{port: {port}}}
monitoring: {{window: 1d, timezone: {zone}}}
models:
  flights: {{replicas: 2}}
"""


class Place(msgspec.Struct, frozen=True):
    """The folder of one demo."""

    folder: Path

    @property
    def settings(self) -> Path:
        return self.folder / "gyroscope.yaml"

    def make(self, port: int) -> None:
        """A clean folder; what an earlier demo left running here is stopped first."""
        self.clear()
        self.folder.mkdir(parents=True)
        self.settings.write_text(SETTINGS.format(port=port, zone=ZONE), encoding="utf-8")

    def stop(self) -> None:
        """Stop everything; tables and logs stay."""
        if self.settings.is_file():
            down(self.settings)

    def clear(self) -> None:
        """Stop everything and take the folder away, whatever state it is in."""
        if self.settings.is_file():
            runtime = House(self.settings).runtime
            self.stop()
            shutil.rmtree(runtime, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def register(house: House, trained: Trained) -> Version:
    """Add the model with its held-out, day-blocked reference, two replicas and all of the traffic."""
    candidate = Candidate(
        MODEL, "lightgbm", trained.signature, trained.artifact, notes=("trained on January, February",)
    )
    version = house.models.add(candidate, wall_now())
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
    house.routes.set_size(Size(MODEL, 2), reason="the demo runs two replicas", now=wall_now())
    house.routes.set_route(Route(MODEL, version.version), reason="the demo's only version", now=wall_now())
    return version
