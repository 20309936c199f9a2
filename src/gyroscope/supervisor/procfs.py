"""What the kernel says about processes, read from /proc.

A pid alone names nobody, since numbers come back; a pid with its start time does. Standard library only.
Everything answers "" or 0 for a process that is gone: between two reads any process may vanish.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
_LISTEN = "0A"


def start_ticks(pid: int) -> int:
    """When the process was started, in clock ticks since boot; 0 when it is gone or a zombie."""
    fields = _stat(pid)
    return int(fields[19]) if fields and fields[0] not in "ZX" else 0


def run_state(pid: int) -> str:
    """The kernel's letter: R, S, D, Z, T (stopped by a signal), t (by a debugger); "" when gone."""
    fields = _stat(pid)
    return fields[0] if fields else ""


def ran_ns(pid: int) -> int:
    """How long the process's first thread, which beats, has had a processor."""
    fields = _text(PROC / str(pid) / "schedstat").split()
    return int(fields[0]) if fields else 0


def cpu_s(pid: int) -> float:
    """Processor seconds that the process has used, all its threads together; 0 when it is gone."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def session_of(pid: int) -> int:
    """The session the process is in, which is the pid of the child of ours that began it."""
    fields = _stat(pid)
    return int(fields[3]) if fields else 0


def command_line(pid: int) -> tuple[str, ...]:
    return tuple(_strings(pid, "cmdline"))


def environment(pid: int | str = "self") -> dict[str, str]:
    """The environment the process was started with."""
    return dict(entry.split("=", 1) for entry in _strings(pid, "environ") if "=" in entry)


def boot_id() -> str:
    """Changes at every boot, when start times begin anew."""
    return _text(PROC / "sys/kernel/random/boot_id").strip()


def pids() -> Iterator[int]:
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            yield int(entry.name)


def listener_of(port: int) -> int:
    """The pid of a process that listens on a TCP port; 0 when there is none or it is another user's."""
    inodes = {f"socket:[{inode}]" for table in ("tcp", "tcp6") for inode in _listening(table, port)}
    return next((pid for pid in pids() if inodes & _open_sockets(pid)), 0) if inodes else 0


def _listening(table: str, port: int) -> Iterator[str]:
    for line in _text(PROC / "net" / table).splitlines()[1:]:
        fields = line.split()
        if fields[3] == _LISTEN and int(fields[1].rsplit(":", 1)[1], 16) == port:
            yield fields[9]


def _open_sockets(pid: int) -> set[str]:
    found = set()
    with contextlib.suppress(OSError):
        for link in (PROC / str(pid) / "fd").iterdir():
            with contextlib.suppress(OSError):
                found.add(str(link.readlink()))
    return found


def _stat(pid: int) -> list[str]:
    """The fields after the name, which is in brackets and may itself hold brackets and spaces."""
    return _text(PROC / str(pid) / "stat").rpartition(")")[2].split()


def _strings(pid: int | str, name: str) -> list[str]:
    return [part for part in _text(PROC / str(pid) / name).split("\0") if part]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
