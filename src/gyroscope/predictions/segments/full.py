"""Durability `full`: records reach the disk together, then everybody who waits for one is told.

`log.py` hands over encoded records; one thread writes all that wait with one write and one `fdatasync`. After a failed
one it never asks that file again: what the kernel then says of it may be a lie. It begins another segment and writes
the unacknowledged once more. It knows no policy and never blocks who hands over.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from gyroscope.clock import SECOND_NS, machine_now
from gyroscope.errors import StoreError
from gyroscope.predictions.segments.cap import LOOK_AGAIN_NS, Cap
from gyroscope.predictions.segments.file import SegmentFile, reserved_for
from gyroscope.predictions.segments.wal import readdress

LOG = logging.getLogger(__name__)

Outcome = Literal["full", "no"]

# A disk that needs longer for one commit hangs: whoever comes then is not made to wait for it.
STALLED_NS = SECOND_NS
# So much at once at most, so that a backlog is acknowledged in steps.
GROUP_BYTES = 8 * 1024 * 1024
# How long closing waits for a disk that may never answer.
CLOSE_S = 5.0


class Waiting:
    """One record on its way to the disk. Its outcome is said once, whoever says it first."""

    __slots__ = ("_call", "_lock", "outcome", "record")

    def __init__(self, record: bytes, lock: threading.Lock) -> None:
        self.record = record
        self.outcome: Outcome | None = None
        self._lock = lock
        self._call: Callable[[Outcome], object] | None = None

    def then(self, call: Callable[[Outcome], object]) -> None:
        """Have the outcome told: at once if it is known, else later from the thread that writes."""
        with self._lock:
            if self.outcome is None:
                self._call = call
                return
        call(self.outcome)

    def settle(self, outcome: Outcome) -> bool:
        """Whether this was the first word; if so it is told."""
        with self._lock:
            if self.outcome is not None:
                return False
            self.outcome, call = outcome, self._call
        if call is not None:
            call(outcome)
        return True

    def wait(self, timeout_s: float) -> Outcome | None:
        """The outcome, or None when it is not known in time."""
        known = threading.Event()
        self.then(lambda _: known.set())
        known.wait(timeout_s)
        return self.outcome


class GroupCommit:
    """The segments of one replica on a disk. `written` counts what was acknowledged; `failure` is the last one.

    `keeps_late`: a record that nobody waits for any more is still written when the disk comes back.
    """

    def __init__(
        self, folder: Path, replica: str, schema_id: int, cap: Cap, segment_bytes: int, *, keeps_late: bool
    ) -> None:
        self.written = 0
        self.failure = ""
        self._folder = folder
        self._replica = replica
        self._schema_id = schema_id
        self._cap = cap
        self._segment_bytes = segment_bytes
        self._keeps_late = keeps_late
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._queue: list[Waiting] = []
        self._queued_bytes = 0
        self._busy_since_ns = 0
        self._blocked_until_ns = 0
        self._is_closing = False
        self._thread: threading.Thread | None = None
        self._file: SegmentFile | None = None
        self._before = (0, 0)

    @property
    def is_stalled(self) -> bool:
        """Whether the disk has not answered for so long that nobody should wait for it."""
        since = self._busy_since_ns
        return since > 0 and machine_now() - since > STALLED_NS

    def submit(self, record: bytes) -> Waiting:
        """Hand one record over. Raises `StoreError` when too many wait already, or the disk has just refused."""
        if self._blocked_until_ns and machine_now() < self._blocked_until_ns:
            raise StoreError(
                f"the disk takes nothing: {self.failure}",
                where=str(self._folder),
                fix="make room on this file system or see what the disk does (dmesg); it is tried again by itself",
            )
        waiting = Waiting(record, self._lock)
        with self._arrived:
            if self._queued_bytes + len(record) > self._cap.cap_bytes:
                raise StoreError(
                    f"predictions that wait for the disk have reached their cap of {self._cap.cap_bytes} bytes",
                    where=str(self._folder),
                    fix="see what the disk does, or raise serving.segment_cap_mib",
                )
            self._queue.append(waiting)
            self._queued_bytes += len(record)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
                self._thread.start()
            self._arrived.notify()
        return waiting

    def close(self) -> None:
        """Write what waits, seal, end. A disk that hangs is left behind after a few seconds."""
        with self._arrived:
            self._is_closing = True
            self._arrived.notify()
            thread = self._thread
        if thread is not None:
            thread.join(CLOSE_S)
        if thread is None or not thread.is_alive():
            self._is_closing, self._thread = False, None

    def _run(self) -> None:
        """Until closed. What goes wrong with one group does not end it: who comes next waits for this thread."""
        while group := self._next():
            outcome: Outcome = "no"
            self._busy_since_ns = machine_now()
            try:
                wanted = [waiting.record for waiting in group if self._keeps_late or waiting.outcome is None]
                outcome = self._commit(wanted) if wanted else "no"
            except Exception as error:
                LOG.exception("writing to the disk met a fault of its own")
                self.failure = f"{type(error).__name__} {error}".strip()
                self._abandon()
            finally:
                self._busy_since_ns = 0
                self._tell(group, outcome)
        self._seal()

    def _tell(self, group: list[Waiting], outcome: Outcome) -> None:
        """Give back the room of a group and say what became of it; who cannot be told keeps it from nobody else."""
        with self._lock:
            self._queued_bytes -= sum(len(waiting.record) for waiting in group)
        for waiting in group:
            try:
                self.written += waiting.settle(outcome) and outcome == "full"
            except Exception:
                LOG.exception("an outcome could not be told")

    def _next(self) -> list[Waiting]:
        """All that wait, up to `GROUP_BYTES`; nothing when it is time to end."""
        with self._arrived:
            while not self._queue and not self._is_closing:
                self._arrived.wait()
            count = size = 0
            while count < len(self._queue) and size < GROUP_BYTES:
                size += len(self._queue[count].record)
                count += 1
            group, self._queue = self._queue[:count], self._queue[count:]
        return group

    def _commit(self, records: list[bytes]) -> Outcome:
        """Write and sync; once more on a new segment when that fails."""
        size = sum(map(len, records))
        for _ in range(2):
            try:
                file = self._file_for(size)
            except (OSError, StoreError) as error:
                return self._refused(error)
            try:
                _put(file, records, size)
            except OSError as error:
                self.failure = str(error)
                self._abandon()
            else:
                self._blocked_until_ns = 0
                return "full"
        return self._refused(None)

    def _file_for(self, size: int) -> SegmentFile:
        """The segment to write to, with room for so many bytes."""
        if self._file is not None and self._file.at >= self._segment_bytes:
            self._seal()
        if self._file is None:
            self._cap.check("", reserved_for(size))
            self._file = SegmentFile(self._folder, self._replica, self._schema_id, self._before, is_durable=True)
        try:
            self._cap.check(self._file.name, reserved_for(self._file.at + size))
            self._file.reserve(size)
        except (OSError, StoreError):
            # Sealed, it can be drained and deleted: then its own room is free.
            self._seal()
            raise
        return self._file

    def _refused(self, error: OSError | StoreError | None) -> Outcome:
        # Whoever comes within the next twentieth of a second would only wait to hear the same.
        self._blocked_until_ns = machine_now() + LOOK_AGAIN_NS
        self.failure = str(error) if error else self.failure
        return "no"

    def _seal(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            self._before = (file.number, file.records)
            file.seal(is_durable=True)

    def _abandon(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            self._before = (file.number, file.records)
            with contextlib.suppress(OSError):
                file.abandon()


def _put(file: SegmentFile, records: list[bytes], size: int) -> None:
    """Raises `OSError` when not all of it is on the disk."""
    data = b"".join(readdress(record, file.number, file.records + i) for i, record in enumerate(records))
    # The first magic last: a reader in another process sees none of these records or all.
    _write(file.fd, data[8:], file.at + 8)
    _write(file.fd, data[:8], file.at)
    os.fdatasync(file.fd)
    file.at += size
    file.records += len(records)


def _write(fd: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, at)
        view, at = view[written:], at + written
