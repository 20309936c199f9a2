"""What `gyro doctor` looks at on the machine: one function per check, each returning what it found and how to mend it.

`space.py` has those of disk and memory. They look and change nothing.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import msgspec

from gyroscope.backends import EXTRAS
from gyroscope.clock import event_time_of, iso, wall_now
from gyroscope.errors import ProcessError
from gyroscope.settings import Settings

OLDEST_PYTHON = (3, 11)
# Each connection of a client takes two files of the door; below this a few hundred clients are refused.
OPEN_FILES = 4_096
# When these checks were written: a clock that says less has lost its battery.
WRITTEN = 2026


class Check(msgspec.Struct, frozen=True):
    """One finding. `fix` is empty when all is well."""

    name: str
    state: Literal["ok", "warn", "fail"]
    found: str
    fix: str = ""


def check_python(version: tuple[int, ...]) -> Check:
    """
    >>> check_python((3, 10, 2)).state
    'fail'
    """
    text = ".".join(map(str, version))
    if version < OLDEST_PYTHON:
        return Check("Python", "fail", text, "install Python 3.11 or newer")
    return Check("Python", "ok", text)


def check_haproxy() -> Check:
    """Without it one replica listens by itself: fine on a laptop, no second replica and no retry."""
    from gyroscope.supervisor.door import find_binary, version_of

    binary = find_binary()
    if not binary:
        fix = "apt install haproxy, or pip install 'gyroscope[haproxy]', for more than one replica"
        return Check("HAProxy", "warn", "none of version 2.6 or newer", fix)
    major, minor = version_of(binary)
    return Check("HAProxy", "ok", f"{major}.{minor} at {binary}")


def check_port(settings: Settings) -> Check:
    """Free, or taken by what this home already runs."""
    from gyroscope.supervisor import client
    from gyroscope.supervisor import door as supervised

    door = settings.door
    address = f"{door.host}:{door.port}"
    run_dir = settings.home_path / "run"
    if run_dir.is_dir() and client.is_running(run_dir):
        return Check("port", "ok", f"{address}, used by this home, which is up")
    try:
        supervised.check_port(door.host, door.port, set())
    except ProcessError as error:
        return Check("port", "fail", error.what, error.fix)
    return Check("port", "ok", f"{address} is free")


def check_open_files(limit: int) -> Check:
    """
    >>> check_open_files(1024).fix
    'ulimit -n 4096, or LimitNOFILE=4096 in the unit'
    """
    if limit != resource.RLIM_INFINITY and limit < OPEN_FILES:
        return Check(
            "open files", "warn", str(limit), f"ulimit -n {OPEN_FILES}, or LimitNOFILE={OPEN_FILES} in the unit"
        )
    return Check("open files", "ok", "unlimited" if limit == resource.RLIM_INFINITY else str(limit))


def check_extras() -> Iterator[Check]:
    """Which kinds of models can be served and converted here; a missing one matters only to who has such a model."""
    for library, extra in EXTRAS.items():
        if find_spec(library) is None:
            yield Check(library, "warn", "not installed", f"pip install 'gyroscope[{extra}]' if you have such models")
        else:
            yield Check(library, "ok", "installed")


def check_clock(home: Path) -> Check:
    """A clock behind the files it wrote would put new predictions into windows that are over."""
    from datetime import UTC, datetime

    now = wall_now()
    newest = max((path.stat().st_mtime_ns // 1_000 for path in home.glob("*.db")), default=0)
    earliest = max(newest, event_time_of(datetime(WRITTEN, 1, 1, tzinfo=UTC)))
    if now < earliest:
        return Check("clock", "fail", f"{iso(now)}, behind its own files", "set the clock: timedatectl set-ntp true")
    return Check("clock", "ok", iso(now))
