"""What a replica calls before it answers: one append to its own segment.

A segment is a file on tmpfs that exactly one process appends to, under a `flock` that the kernel drops when the process
dies; the recorder drains it and, once it is sealed, deletes it. This module never reads a segment or waits for a disk.
"""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path
from typing import Literal

from gyroscope.clock import SECOND_NS, machine_now, wall_now
from gyroscope.errors import StoreError
from gyroscope.predictions.wal import Layout, LogEntry, encode
from gyroscope.records import Version

Logged = Literal["os", "no"]

SEGMENT_BYTES = 8 * 1024 * 1024
SUFFIX, NEW_SUFFIX = ".seg", ".new"
# How often a log that is at its cap looks whether the recorder has made room: 20 looks a second cost nothing.
LOOK_AGAIN_NS = SECOND_NS // 20


def segment_folder(runtime: Path, model: str) -> Path:
    """Where the segments of one model lie."""
    return runtime / "segments" / model


class PredictionLog:
    """One replica's log. `append` says how durable the entry is before the reply leaves.

    `mode` "off" writes nothing. When a write fails or `cap_bytes` of undrained segments are reached, `on_failure`
    decides: "serve_unlogged" answers "no" and counts it in `failed`, "fail_closed" counts it and raises `StoreError`.
    """

    def __init__(
        self,
        folder: Path,
        replica: str,
        version: Version,
        *,
        mode: Literal["os", "off"] = "os",
        on_failure: Literal["serve_unlogged", "fail_closed"] = "serve_unlogged",
        cap_bytes: int = 256 * 1024 * 1024,
    ) -> None:
        self.logged = 0
        self.failed = 0
        self.failure = ""
        self._folder = folder
        self._replica = replica
        self._layout = Layout(version.signature)
        self._mode = mode
        self._on_failure = on_failure
        self._cap_bytes = cap_bytes
        # A quarter of the cap at most, so that draining one sealed segment always makes room for the next.
        self._segment_bytes = max(1, min(SEGMENT_BYTES, cap_bytes // 4))
        self._lock = threading.Lock()
        self._fd = -1
        self._segment = 0
        self._size = 0
        self._others_bytes = 0
        self._looked_ns = 0

    def append(self, entry: LogEntry) -> Logged:
        """Write one entry: "os" when the kernel has all of it, "no" when it was not written.

        Raises `StoreError` when it was not written and the policy is "fail_closed".
        """
        if self._mode == "off":
            return "no"
        with self._lock:
            try:
                self._write(entry)
            except (OSError, StoreError) as error:
                return self._not_written(error)
            self.logged += 1
            return "os"

    def close(self) -> None:
        """Seal the current segment; the log may be used again and then begins a new one."""
        with self._lock:
            self._seal()

    def _write(self, entry: LogEntry) -> None:
        if self._fd >= 0 and self._size >= self._segment_bytes:
            self._seal()
        if self._fd < 0:
            self._begin()
        data = encode(entry, self._layout, self._segment)
        self._make_sure_of_room(len(data))
        written = os.write(self._fd, data)
        if written != len(data):
            self._take_back()
            raise OSError(f"{written} of {len(data)} bytes fitted")
        self._size += written

    def _begin(self) -> None:
        """Create, lock, then name the file: whoever can see a segment and lock it knows that its writer is gone."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        segment = (wall_now() << 12) | int.from_bytes(os.urandom(2), "little") & 0xFFF
        path = self._folder / f"{self._replica}-{segment:016x}{NEW_SUFFIX}"
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.rename(path.with_suffix(SUFFIX))
        except OSError:
            os.close(fd)
            raise
        self._fd, self._segment, self._size = fd, segment, 0
        self._look()

    def _seal(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _take_back(self) -> None:
        """Cut a half-written record off; where even that fails, seal: the reader counts the torn tail."""
        try:
            os.ftruncate(self._fd, self._size)
        except OSError:
            self._seal()

    def _make_sure_of_room(self, more: int) -> None:
        if self._others_bytes + self._size + more <= self._cap_bytes:
            return
        if machine_now() - self._looked_ns >= LOOK_AGAIN_NS:
            self._look()
        if self._others_bytes + self._size + more > self._cap_bytes:
            raise StoreError(
                f"undrained segments have reached their cap of {self._cap_bytes} bytes",
                where=str(self._folder),
                fix="see whether the recorder runs (gyro status), or raise serving.segment_cap_mib",
            )

    def _look(self) -> None:
        """Measure what else of this replica, of earlier lives too, still waits for the recorder."""
        mine = f"{self._replica}-{self._segment:016x}{SUFFIX}"
        with os.scandir(self._folder) as found:
            others = [item for item in found if item.name.startswith(f"{self._replica}-") and item.name != mine]
        self._others_bytes = sum(_size(item) for item in others)
        self._looked_ns = machine_now()

    def _not_written(self, error: OSError | StoreError) -> Logged:
        self.failed += 1
        self.failure = str(error)
        if self._on_failure == "serve_unlogged":
            return "no"
        if isinstance(error, StoreError):
            raise error
        raise StoreError(
            f"a prediction cannot be written down: {error}",
            where=str(self._folder),
            fix="make room on this file system, or set serving.on_log_failure: serve_unlogged",
        ) from error


def _size(item: os.DirEntry[str]) -> int:
    """0 for a segment that the recorder has deleted since it was listed."""
    try:
        return item.stat().st_size
    except FileNotFoundError:
        return 0
