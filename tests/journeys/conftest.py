"""A real house per test: door, two replicas, recorder, control, on a port of its own, stopped whatever happens."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest

from gyroscope.assembly import House, UpReport, up
from gyroscope.clock import EventTime, wall_now
from gyroscope.demo.flights import ZONE, Flights, load_flights
from gyroscope.demo.place import MODEL, Place, register
from gyroscope.demo.replay import Progress, Replayed, Target, replay
from gyroscope.demo.train import Trained, train
from gyroscope.demo.world import Stretch
from gyroscope.records import Size, Version

# The demo's model without the demo's loops: what happens here is what a test does.
SETTINGS = f"""\
home: home
door: {{{{port: {{port}}}}}}
monitoring: {{{{window: 1d, timezone: {ZONE}}}}}
models:
  flights: {{{{replicas: 2}}}}
"""


async def _on(_: EventTime) -> None:
    """Nothing is waited for between two stretches."""


@pytest.fixture(scope="session")
def flights() -> Flights:
    return load_flights()


@pytest.fixture(scope="session")
def trained(flights: Flights, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train(flights, (1, 2), tmp_path_factory.mktemp("trained"))


class Running:
    """A started house and what a test does with it."""

    def __init__(self, place: Place, trained: Trained) -> None:
        self.place = place
        self.house = House(place.settings)
        self.version: Version = register(self.house, place, trained)
        self.house.routes.set_size(Size(MODEL, 2), reason="the test", now=wall_now())
        self.report: UpReport = up(place.settings)
        self.key = Path(self.report.api_key_path).read_text(encoding="utf-8").strip()

    @property
    def port(self) -> int:
        return self.house.settings.door.port

    def pid(self, name: str) -> int:
        """The process id of a process by its name, or of the first replica."""
        from gyroscope.supervisor import client

        seen = client.status(self.house.run_dir)
        if name == "supervisor":
            return int(seen["pid"])
        if name == "replica":
            return next(int(one["pid"]) for one in seen["processes"] if one["kind"] == "replica")
        return next(int(one["pid"]) for one in seen["processes"] if one["name"] == name)

    def replay(
        self, flights: Flights, *, retries: int = 0, at: float = 0.4, act: Callable[[], None] | None = None
    ) -> Replayed:
        """Send flights; when the share `at` of them is sent, `act` is called from another thread."""
        progress = Progress(total=len(flights))
        done = threading.Event()

        def watch() -> None:
            while not done.wait(0.002):
                if act is not None and progress.sent >= at * progress.total:
                    act()
                    return

        watcher = threading.Thread(target=watch)
        watcher.start()
        target = Target("127.0.0.1", self.port, self.key, retries=retries)
        try:
            return asyncio.run(replay(flights, [Stretch(0, len(flights))], target, progress, _on))
        finally:
            done.set()
            watcher.join()


@pytest.fixture
def running(trained: Trained, tmp_path: Path) -> Iterator[Running]:
    with started(trained, tmp_path) as running:
        yield running


@contextmanager
def started(trained: Trained, folder: Path) -> Iterator[Running]:
    """A house with the flights' model in this folder, stopped and looked after whatever happens."""
    place = Place(folder / "place")
    place.make(free_port(), "equal")
    place.settings.write_text(SETTINGS.format(port=House(place.settings).settings.door.port), encoding="utf-8")
    house = House(place.settings)
    try:
        yield Running(place, trained)
    finally:
        place.clear()
    assert not leftovers(house), "processes were left behind"


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def leftovers(house: House) -> list[str]:
    """Processes whose command line or open folder still belongs to this home."""
    marks = (str(house.home), str(house.runtime), str(house.settings_path))
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if process.pid != os.getpid() and any(mark in line for mark in marks):
            found.append(line)
    return found


def some(flights: Flights, n: int, *, month: int = 3) -> Flights:
    """The first `n` flights of a month."""
    return flights.where((flights.month == month) & (np.cumsum(flights.month == month) <= n))
