"""A real house in a temporary folder: door, replicas, recorder, control, started and stopped like a user's.

Chaos rows and those that ask a running house come in through here. The model doubles its first column, exactly,
unless a row brings its own.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from gyroscope.assembly import House, down, up
from gyroscope.clock import wall_now
from gyroscope.models import Candidate, read_signature
from gyroscope.records import Route, Size, Version
from gyroscope.supervisor import client, procfs
from gyroscope.supervisor.processes import marked

MODEL = "probe"
NUMBERS = tuple(f"x{at:02d}" for at in range(18))
SIGNATURE = "\n".join(
    (
        "task: regression",
        "output: doubled",
        "features:",
        "  - {name: number, nullable: false}",
        "  - {name: kind, dtype: string, categories: [a, b, c]}",
        *(f"  - {{name: {name}}}" for name in NUMBERS),
    )
)
CODE = """\
class Model:
    def predict(self, matrix, columns):
        return matrix[:, 0] * 2
"""
GYRO = str(Path(sys.executable).with_name("gyro"))
HOOKS = Path(__file__).parent / "chaos" / "hooks"


class Running:
    """A house and what a row does with it. `hooks` (variable -> value) go to every process through the environment."""

    def __init__(
        self,
        folder: Path,
        settings: dict[str, Any],
        replicas: int = 2,
        hooks: dict[str, str] | None = None,
        candidate: Candidate | None = None,
    ) -> None:
        """Writes settings where there are none and registers the model where its home does not have it yet."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.hooks = hooks or {}
        self.settings_path = folder / "gyroscope.yaml"
        plain = {"home": "home", "door": {"port": free_port()}, "models": {MODEL: {"replicas": replicas}}, **settings}
        if not self.settings_path.exists():
            self.settings_path.write_text(yaml.safe_dump(plain), encoding="utf-8")
        self.house = House(self.settings_path)
        self.house.make_folders()
        known = self.house.models.versions(MODEL)
        self.version = known[-1] if known else self._register(candidate or self._doubling(), replicas)
        self.key = ""

    def _doubling(self) -> Candidate:
        (self.folder / "signature.yaml").write_text(SIGNATURE, encoding="utf-8")
        (self.folder / "probe_model.py").write_text(CODE, encoding="utf-8")
        signature = read_signature(self.folder / "signature.yaml")
        return Candidate(MODEL, "python", signature, self.folder / "probe_model.py", entry="probe_model:Model")

    def _register(self, candidate: Candidate, replicas: int) -> Version:
        version = self.house.models.add(candidate, wall_now())
        self.house.routes.set_size(Size(MODEL, replicas), reason="benchmark", now=wall_now())
        self.house.routes.set_route(Route(MODEL, version.version), reason="benchmark", now=wall_now())
        return version

    @property
    def port(self) -> int:
        return self.house.settings.door.port

    def up(self) -> None:
        """`gyro up`; what a killed supervisor left running is adopted."""
        with hooked(self.hooks):
            report = up(self.settings_path)
        self.key = Path(report.api_key_path).read_text(encoding="utf-8").strip()

    def down(self) -> None:
        """`gyro down`; the last records are drained."""
        down(self.settings_path)

    def pids(self, kind: str) -> list[int]:
        """The processes that hold a post: replica, recorder, control, door or supervisor."""
        seen = client.status(self.house.run_dir)
        if kind == "supervisor":
            return [seen["pid"]] if seen["pid"] else []
        return [one["pid"] for one in seen["processes"] if kind in (one["kind"], one["name"]) and one["pid"]]

    def kill_all(self) -> None:
        """SIGKILL for every process of the house at once, found without a look at its disk."""
        give_up = time.monotonic() + 20
        while time.monotonic() < give_up:
            doomed = {pid for pid in procfs.pids() if str(self.house.run_dir) in procfs.command_line(pid)}
            doomed |= marked(self.house.run_dir)
            if not doomed:
                return
            for pid in doomed:
                kill(pid)
            time.sleep(0.01)

    def clear(self) -> None:
        """Stop everything and take the memory back, whatever state it is in."""
        with contextlib.suppress(Exception):
            self.down()
        self.kill_all()
        shutil.rmtree(self.house.runtime, ignore_errors=True)


@contextmanager
def running(
    folder: Path,
    *,
    replicas: int = 2,
    hooks: dict[str, str] | None = None,
    candidate: Candidate | None = None,
    **settings: Any,
) -> Iterator[Running]:
    """A started house; stopped whatever happens. `candidate` is served instead of the model that doubles."""
    made = Running(folder, settings, replicas, hooks, candidate)
    try:
        made.up()
        yield made
    finally:
        made.clear()


@contextmanager
def hooked(hooks: dict[str, str]) -> Iterator[None]:
    """Processes started inside import `hooks/sitecustomize.py` first, with these variables. Byte code is kept."""
    before = dict(os.environ)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ.update(hooks)
    if hooks:
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(HOOKS), before.get("PYTHONPATH"))))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Signal a process that may already be gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(holds: Callable[[], object], patience_s: float, pause_s: float = 0.02) -> float:
    """Seconds until something holds; infinite when it does not within the patience."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > patience_s:
            return float("inf")
        time.sleep(pause_s)
    return time.monotonic() - began
