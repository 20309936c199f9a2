"""Once a second: looks at pulses, the recorder's report and the disks, and keeps the alerts that stand in a file.

Control runs it in a thread of its own that never writes to the home: a frozen or full disk is what it must report.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Set
from pathlib import Path

import msgspec

from gyroscope.clock import EventTime, MachineTime, iso
from gyroscope.errors import ProcessError
from gyroscope.monitoring.alerts import Alert, Disk, Memory, Seen, standing
from gyroscope.predictions.recording.heartbeat import REPORT_FILE, read_report
from gyroscope.records import Signal
from gyroscope.supervisor.pulse import Pulse

ALERTS_FILE = "alerts"
# Taken from tmpfs once and written over in place for ever: it can still be written when there is no page left.
FILE_BYTES = 65_536


class Known(msgspec.Struct, frozen=True):
    """An alert since when it stands, or that it has gone."""

    alert: Alert
    since: str
    is_standing: bool = True


class Look(msgspec.Struct, frozen=True):
    """What the file holds: every alert that has stood since control began to look."""

    at: str
    alerts: tuple[Known, ...] = ()

    @property
    def standing(self) -> tuple[Known, ...]:
        return tuple(known for known in self.alerts if known.is_standing)

    @property
    def keys(self) -> set[tuple[str, str]]:
        """Name and model of each that stands."""
        return {(known.alert.name, known.alert.model) for known in self.standing}


class Lookout:
    """Looks, and remembers what it has to. `home` is only read."""

    def __init__(self, home: Path, runtime: Path, *, is_logging: bool = True) -> None:
        self._home = home
        self._is_logging = is_logging
        self._runtime = runtime
        self._memory: Memory | None = None
        self.newest = Look("")

    def look(self, now: MachineTime, wall: EventTime) -> Look:
        """One look, written to the runtime folder. Raises `OSError` when not even that is possible."""
        alerts, self._memory = standing(self._seen(now, wall), self._memory)
        self.newest = Look(iso(wall), tuple(_known(alerts, self.newest.alerts, iso(wall))))
        write_look(self._runtime / ALERTS_FILE, self.newest)
        return self.newest

    def _seen(self, now: MachineTime, wall: EventTime) -> Seen:
        path = self._home / "run" / REPORT_FILE
        report = read_report(path)
        return Seen(
            at=now,
            unlogged=unlogged(self._runtime / "pulses") if self._is_logging else {},
            report=report,
            report_age_s=(wall - report.moment) / 1e6 if report else 0.0,
            disks=tuple(_disk(role, place) for role, place in (("home", self._home), ("segments", self._runtime))),
            report_path=str(path),
            segments_path=str(self._runtime / "segments"),
        )


def unlogged(pulses: Path) -> dict[str, int]:
    """Model -> predictions that were answered or refused without being written down, over all its replicas."""
    counts: dict[str, int] = {}
    for path in pulses.glob("*.pulse"):
        try:
            pulse = Pulse.open(path)
        except ProcessError:
            continue
        model = path.stem.rsplit("-", 2)[0]
        counts[model] = counts.get(model, 0) + pulse.counters()["unlogged"]
        pulse.close()
    return counts


def as_signals(look: Look, before: Set[tuple[str, str]], wall: EventTime) -> list[Signal]:
    """The alerts that came or went since those of `before` (name, model) stood, as points of the series `alert`."""
    stands = look.keys
    return [
        Signal("alert", wall, float(key in stands), (("model", key[1]), ("name", key[0])))
        for key in sorted(before ^ stands)
    ]


def stood(newest: Iterable[Signal]) -> set[tuple[str, str]]:
    """Name and model of the alerts that stand by the newest points of the series `alert`."""
    return {(dict(one.labels)["name"], dict(one.labels)["model"]) for one in newest if one.value == 1.0}


def write_look(path: Path, look: Look) -> None:
    """Write over the file in place, checksum first; readers that meet a half-written one read again."""
    text = msgspec.json.encode(look)
    while len(text) > FILE_BYTES - 16 and look.alerts:
        look = msgspec.structs.replace(look, alerts=look.alerts[: len(look.alerts) // 2])
        text = msgspec.json.encode(look)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(fd).st_size != FILE_BYTES:
            os.posix_fallocate(fd, 0, FILE_BYTES)
        os.pwrite(fd, f"{zlib.crc32(text):08x} {len(text):05d} ".encode() + text, 0)
    finally:
        os.close(fd)


def read_look(path: Path) -> Look | None:
    """The newest look; None when there is none, or none that is whole."""
    for _ in range(5):
        try:
            data = path.read_bytes()
            size = int(data[9:14])
            text = data[15 : 15 + size]
            if zlib.crc32(text) == int(data[:8], 16):
                return msgspec.json.decode(text, type=Look)
        except OSError:
            return None
        except (ValueError, msgspec.MsgspecError):
            continue
    return None


def _known(alerts: list[Alert], before: tuple[Known, ...], at: str) -> list[Known]:
    """Those that stand, first; then those that have gone, each name and model once."""
    since = {(known.alert.name, known.alert.model): known.since for known in before if known.is_standing}
    stand = [Known(alert, since.get((alert.name, alert.model), at)) for alert in alerts]
    keys = {(known.alert.name, known.alert.model) for known in stand}
    gone = [known for known in before if (known.alert.name, known.alert.model) not in keys]
    return stand + [msgspec.structs.replace(known, is_standing=False) for known in gone]


def _disk(role: str, place: Path) -> Disk:
    found = os.statvfs(place)
    return Disk(
        role,
        str(place),
        found.f_bavail * found.f_frsize,
        found.f_blocks * found.f_frsize,
        found.f_favail,
        found.f_files,
    )
