"""The loop between a door that tells counts, pulses, the journal and the wanted size; only the door is a stand-in."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gyroscope.clock import SECOND_NS, EventTime, MachineTime
from gyroscope.models.routes import Routes
from gyroscope.models.store import Candidate, ModelStore
from gyroscope.records import Feature, Signal, Signature, Size
from gyroscope.scaling.loop import DESIRED, Scaler, Stores, recompute
from gyroscope.scaling.observe import Observer
from gyroscope.scaling.targets.local import Local
from gyroscope.settings import Settings, parse_settings
from gyroscope.signals.journal import Journal
from gyroscope.signals.store import Signals
from gyroscope.supervisor.pulse import Pulse

HEAD = "# pxname,svname,qcur,stot"
MODEL = """\
class Model:
    def predict(self, matrix, columns):
        return matrix[:, 0]
"""
FREE = "models: {odd: {replicas: {min: 1, max: 8}, batch_calls: 1, shrink_after_s: 10, slo: {p99_ms: 200}}}\n"


class Counting:
    """A door that answers `show stat` with what a test says."""

    def __init__(self, path: Path) -> None:
        self.ever, self.waiting = 0, 0
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        threading.Thread(target=self._answer, daemon=True).start()

    def _answer(self) -> None:
        while True:
            try:
                link, _ = self._socket.accept()
            except OSError:
                return
            with link:
                link.recv(1_000)
                rows = f"{HEAD}\nmodel.odd,BACKEND,{self.waiting},{self.ever}\ncontrol,BACKEND,0,7\n"
                link.sendall(rows.encode())

    def close(self) -> None:
        if self._socket.fileno() >= 0:
            self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()


class Scene:
    """One model with replicas that take 20 ms a request, second after second."""

    def __init__(self, home: Path, settings: Settings) -> None:
        (home / "odd.py").write_text(MODEL)
        signature = Signature("regression", (Feature("x"),))
        candidate = Candidate("odd", "python", signature, home / "odd.py", entry="odd:Model")
        ModelStore(home).add(candidate, EventTime(0))
        self.routes, self.journal = Routes(home / "state.db"), Journal(home / "state.db")
        self.signals = Signals(home / "state.db")
        self.door = Counting(home / "door.sock")
        self.pulse = Pulse.create(home / "odd-0.pulse")
        self.pulse.ready()
        self.scaler = Scaler(
            settings,
            Observer(home, home / "door.sock"),
            Local(self.routes, settings),
            Stores(self.signals, self.journal),
            lambda: {"odd-0": "odd"},
        )
        self.settings, self.second = settings, 0

    def seconds(self, count: int, per_s: int) -> None:
        for _ in range(count):
            self.second += 1
            self.door.ever += per_s
            self.pulse.add("model_calls", per_s)
            self.pulse.add("model_requests", per_s)
            self.pulse.add("busy_ns", per_s * 20_000_000)
            self.scaler.run_once(MachineTime(self.second * SECOND_NS), EventTime(self.second * 1_000_000))

    @property
    def size(self) -> int:
        return self.routes.replicas("odd", self.settings)

    @property
    def reasons(self) -> list[str]:
        return [act.reason for act in reversed(self.journal.newest("scaling", "odd"))]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path, parse_settings(FREE))
    yield made
    made.door.close()


def test_it_grows_and_shrinks_and_each_change_names_its_decision(scene):
    scene.seconds(40, 150)
    assert scene.size == 4
    scene.seconds(60, 10)
    assert scene.size == 1
    changes = scene.routes.history("odd")
    assert all(change.reason.partition(" ")[0] in scene.reasons for change in changes)
    ids = [change.reason.partition("(")[2].rstrip(")") for change in changes]
    for change, act_id in zip(changes, ids, strict=True):
        again = recompute(scene.journal.get(act_id).inputs)
        assert isinstance(change.value, Size)
        assert again.evidence["replicas"] == change.value.replicas


def test_the_same_decision_is_written_once(scene):
    scene.seconds(60, 10)
    assert scene.reasons == ["metrics_missing_hold", "steady"]


def test_without_the_door_the_size_stays_and_the_reason_says_so(scene):
    scene.seconds(40, 150)
    scene.door.close()
    scene.seconds(60, 0)
    assert scene.size == 4
    assert scene.reasons[-1] == "metrics_missing_hold"


def test_an_idle_door_tells_the_demand_even_where_nothing_was_ever_learned(scene):
    scene.routes.set_size(Size("odd", 4), reason="by hand", now=EventTime(0))
    scene.seconds(30, 0)
    assert scene.size == 1
    assert scene.reasons[-1] == "steady"


def test_a_new_door_counts_from_zero_and_is_no_drop_in_demand(scene):
    scene.seconds(40, 150)
    scene.door.ever = 0
    scene.seconds(2, 150)
    assert scene.size == 4
    assert scene.reasons[-1] == "metrics_missing_hold"
    scene.seconds(10, 150)
    assert scene.size == 4


@pytest.mark.parametrize("mode", ["propose", "off"])
def test_the_switch_keeps_the_size(tmp_path, mode):
    made = Scene(tmp_path, parse_settings(f"{FREE}loops: {{scaling: {mode}}}"))
    made.seconds(40, 150)
    made.door.close()
    assert made.size == 1
    assert bool(made.reasons) == (mode == "propose")
    desired = made.signals.latest(DESIRED, {"model": "odd"})
    assert (isinstance(desired, Signal) and desired.value == 4.0) == (mode == "propose")


def test_a_size_that_is_no_choice_any_more_goes_back_to_its_number(scene, tmp_path):
    scene.seconds(40, 150)
    settings = parse_settings("models: {odd: {replicas: 2}}")
    stores = Stores(scene.signals, scene.journal)
    fixed = Scaler(
        settings,
        Observer(tmp_path, tmp_path / "door.sock"),
        Local(scene.routes, settings),
        stores,
        lambda: {"odd-0": "odd"},
    )
    fixed.run_once(MachineTime(SECOND_NS), EventTime(10**9))
    assert scene.size == 2
    scene.routes.set_size(Size("odd", 3), reason="by hand", now=EventTime(2 * 10**9))
    fixed.run_once(MachineTime(2 * SECOND_NS), EventTime(3 * 10**9))
    assert scene.size == 3
