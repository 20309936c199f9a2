"""Writing down what models answered elsewhere: into segments, as replicas do, and no faster than the recorder drains.

The API, the command line and `gyroscope.log` write through here. Serving never waits for it: an ingest that fills its
segments waits itself. A row that is sent twice is recorded once; the recorder sees to that.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import msgspec

from gyroscope.clock import SECOND_NS, EventTime, machine_now, sleep
from gyroscope.errors import StoreError
from gyroscope.predictions.ingest.given import Checked, Checker, Given
from gyroscope.predictions.segments.log import Logged, LogPolicy, Mode, PredictionLog, segment_folder
from gyroscope.predictions.segments.privacy import Privacy, has_private
from gyroscope.predictions.segments.wal import LogEntry
from gyroscope.records import Version
from gyroscope.settings import Settings

MIB = 1_048_576
PAUSE_S = 0.05
PATIENCE_S = 60.0

MakeRoom = Callable[[], object]


def _nothing() -> None:
    """The recorder makes room by itself."""


class Written(msgspec.Struct):
    """How many rows were written down, how durably, and which were refused: (row, reason)."""

    written: int
    logged: Logged
    refused: list[tuple[int, str]]


class Ingest:
    """One writer of one version, with segments of its own; `make_room` is called again and again while it has none."""

    def __init__(
        self,
        settings: Settings,
        version: Version,
        make_room: MakeRoom = _nothing,
        *,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._checker = Checker(version.signature)
        self._log = _open_log(settings, version)
        self._make_room = make_room
        self._patience_ns = int(patience_s * SECOND_NS)

    def check(self, given: Given, now: EventTime) -> Checked:
        """What would be written and what refused."""
        return self._checker.check(given, now)

    def add(self, given: Given, now: EventTime) -> Written:
        """Write down what fits the signature. When this returns it is as safe as the reply says.

        Raises `StoreError` when no room came for too long; some rows may have been written, and sending them again
        doubles none.
        """
        checked = self.check(given, now)
        return Written(len(checked.entries), self.write(checked), checked.refused)

    def write(self, checked: Checked) -> Logged:
        """Write entries down, waiting for room; how durable all of them are. Raises as `add`."""
        left: list[LogEntry] = checked.entries
        logged: Logged = "os"
        give_up = machine_now() + self._patience_ns
        while left:
            said = self._log.append_all(left)
            logged = next((word for word in said if word != "no"), logged)
            kept = len(left)
            left = [entry for entry, word in zip(left, said, strict=True) if word == "no"]
            if len(left) < kept:
                give_up = machine_now() + self._patience_ns
            if left:
                self._wait(give_up)
        return logged

    def close(self) -> None:
        """Seal what was written, so that the recorder can be done with it."""
        self._log.close()

    def _wait(self, give_up: int) -> None:
        if machine_now() >= give_up:
            # Its first line says what; the others name places on this machine, which the API must not tell.
            what = self._log.failure.partition("\n")[0]
            raise StoreError(
                f"no room came to write predictions down: {what}",
                where="the segments",
                fix="see that the recorder runs (gyro status) and has room; then send the same again, nothing doubles",
            )
        self._make_room()
        sleep(PAUSE_S)


def _open_log(settings: Settings, version: Version) -> PredictionLog:
    """As a replica's, but it keeps every row, and writes even where predictions served here are not logged."""
    serving = settings.serving
    mode: Mode = "os" if serving.log == "off" else serving.log
    folder = settings.home_path if mode == "full" else settings.runtime_path
    return PredictionLog(
        segment_folder(folder, version.model),
        f"{version.model}-{version.version}-i{os.getpid()}",
        version,
        LogPolicy(mode=mode, cap_bytes=serving.segment_cap_mib * MIB),
        privacy=Privacy.of(settings.home_path) if has_private(version.signature) else None,
    )
