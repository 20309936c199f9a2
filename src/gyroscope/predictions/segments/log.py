"""What a replica calls before it answers: one append to its own segment.

With durability `os` the segment lies on tmpfs and is written through memory, without a system call per record; with
`full` `full.py` brings it to the disk. The recorder drains segments. This module never reads one.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
from xxhash import xxh3_64_intdigest

from gyroscope.clock import sleep
from gyroscope.errors import StoreError
from gyroscope.predictions.segments.cap import Cap
from gyroscope.predictions.segments.file import SegmentFile, reserved_for, segment_folder
from gyroscope.predictions.segments.full import GroupCommit, Waiting
from gyroscope.predictions.segments.privacy import Privacy, Protect, has_private
from gyroscope.predictions.segments.wal import (
    MAGIC,
    MISFITS,
    PREFIX,
    SEAL,
    Layout,
    LogEntry,
    PlainRow,
    encode,
    misfit,
    pack,
    pack_plain,
)
from gyroscope.records import Version

__all__ = ["LogPolicy", "Logged", "PredictionLog", "segment_folder"]

EntryT = TypeVar("EntryT", LogEntry, PlainRow)
Mode = Literal["os", "full", "off"]
Logged = Literal["os", "full", "sampled", "off", "no"]
"""Safe from killed processes; safe from a power cut; left out by sampling; not asked for; lost."""

SEGMENT_BYTES = 8 * 1024 * 1024
# How long `append` waits for a disk; a replica waits until its request's deadline instead.
PATIENCE_S = 1.0
SEE_THE_DISK = "see what the disk does (dmesg), or set serving.on_log_failure: serve_unlogged"

_put_prefix = PREFIX.pack_into


class LogPolicy(msgspec.Struct, frozen=True):
    """What a log promises and how much it may take.

    `mode` "off" writes nothing; `keep_one_in` k > 1 keeps every error and one of k answers, by the hash of their ids,
    with weight k. When a write fails or `cap_bytes` of undrained segments are reached, `on_failure` decides:
    "serve_unlogged" answers "no" and counts it in `failed`, "fail_closed" counts it and raises `StoreError`.
    """

    mode: Mode = "os"
    on_failure: Literal["serve_unlogged", "fail_closed"] = "serve_unlogged"
    cap_bytes: int = 256 * 1024 * 1024
    keep_one_in: int = 1


DEFAULT = LogPolicy()


class PredictionLog:
    """One replica's log. `append` says how durable the entry is before the reply leaves.

    `privacy` hashes what the signature says. Any thread may call; entries of one thread keep their order.
    """

    def __init__(
        self,
        folder: Path,
        replica: str,
        version: Version,
        policy: LogPolicy = DEFAULT,
        *,
        privacy: Privacy | None = None,
    ) -> None:
        self.failed = 0
        self.failure = ""
        self._sealed = 0
        self._folder = folder
        self._replica = replica
        self._layout = Layout(version.signature)
        self._policy = policy
        self._cap = Cap(folder, replica, policy.cap_bytes)
        # A quarter of the cap at most, so that draining one sealed segment always makes room for the next.
        self._segment_bytes = max(1, min(SEGMENT_BYTES, policy.cap_bytes // 4))
        # Who holds the one item may write. Popping it is a quarter of the price of a `Lock` that nobody else wants.
        self._turn = [None]
        self._protect = Protect(version.signature, privacy) if has_private(version.signature) else None
        self._is_plain = policy.mode == "os" and policy.keep_one_in == 1 and self._protect is None
        keeps_late = policy.on_failure == "serve_unlogged"
        self._disk = GroupCommit(
            folder, replica, self._layout.schema_id, self._cap, self._segment_bytes, keeps_late=keeps_late
        )
        self._file: SegmentFile | None = None
        self._before = (0, 0)
        # The window of memory onto the segment: where in the file it begins, where in it the next record goes, where it
        # ends, and where the segment is long enough. All zero: there is no segment.
        self._window = mmap.mmap(-1, mmap.PAGESIZE)
        self._base = self._place = self._end = self._enough = 0
        self._number = self._sequence = 0

    def append(self, entry: LogEntry) -> Logged:
        """Write one entry: "os" when the kernel has all of it, "full" when the disk has, "no" when it was not written.

        Raises `StoreError` when it was not written and the policy is "fail_closed".
        """
        if not self._is_plain:
            said = self._prepare(entry)
            if not isinstance(said, LogEntry):
                return said
            if self._policy.mode == "full":
                return self._wait(self._hand_over(said), PATIENCE_S)
            entry = said
        return self._put(entry, pack)

    @property
    def takes_plain_rows(self) -> bool:
        """Whether `append_plain` may be called: all is kept as it is, or nothing, and failures are only counted."""
        if self._policy.mode == "off":
            return True
        return self._is_plain and self._layout.is_plain and self._policy.on_failure == "serve_unlogged"

    def append_plain(self, rows: Sequence[PlainRow]) -> list[Logged]:
        """As `append` of each, at half its price; only where `takes_plain_rows` says so."""
        return [self._put(row, pack_plain) for row in rows] if self._is_plain else ["off"] * len(rows)

    def _put(self, entry: EntryT, packed: Callable[[EntryT, Layout, int, int], tuple[int, bytes]]) -> Logged:
        try:
            self._turn.pop()
        except IndexError:
            self._wait_for_turn()
        try:
            if self._place >= self._enough:
                self._begin()
            checksum, rest = packed(entry, self._layout, self._number, self._sequence)
            after = self._place + 8 + len(rest)
            if after > self._end:
                after = self._extend(8 + len(rest))
            place = self._place
            self._window[place + 8 : after] = rest
            # Last, so that a reader in another process finds zeros or a record.
            _put_prefix(self._window, place, MAGIC, checksum)
            self._place = after
            self._sequence += 1
            return "os"
        except (OSError, StoreError) as error:
            return self._not_written(error)
        except MISFITS as error:
            return self._not_written(misfit(entry, error))
        finally:
            self._turn.append(None)

    def submit(self, entry: LogEntry) -> Logged | Waiting:
        """As `append`, but does not wait for a disk: who gets a `Waiting` says `settled` once they know.

        Raises `StoreError` as `append` does.
        """
        if self._policy.mode != "full":
            return self.append(entry)
        said = self._prepare(entry)
        return self._hand_over(said) if isinstance(said, LogEntry) else said

    def settled(self, waiting: Waiting) -> Logged:
        """What became of a submitted entry; one whose outcome is not known yet is given up.

        Raises `StoreError` when it was not written and the policy is "fail_closed".
        """
        waiting.settle("no")
        if waiting.outcome == "full":
            return "full"
        why = self._disk.failure or "the disk does not answer"
        return self._not_written(StoreError(why, where=str(self._folder), fix=SEE_THE_DISK))

    def append_all(self, entries: Sequence[LogEntry]) -> list[Logged]:
        """As `append` for each; with `full` they share their commits.

        Raises `StoreError` as `append` does; then some of them may have been written.
        """
        said = [self.submit(entry) for entry in entries]
        return [self._wait(one, PATIENCE_S) for one in said]

    @property
    def logged(self) -> int:
        """Entries of which the log said that they are written."""
        return self._sealed + self._sequence + self._disk.written

    def close(self) -> None:
        """Seal the current segment; the log may be used again and then begins a new one."""
        self._disk.close()
        self._wait_for_turn()
        try:
            self._seal()
        finally:
            self._turn.append(None)

    def _wait_for_turn(self) -> None:
        while True:
            try:
                return self._turn.pop()
            except IndexError:
                sleep(0)

    def _prepare(self, entry: LogEntry) -> LogEntry | Logged:
        """The entry as it may be written, or why it is not."""
        if self._policy.mode == "off":
            return "off"
        if self._policy.keep_one_in > 1 and entry.status < 400:
            if xxh3_64_intdigest(entry.request_id.encode("utf-8", "backslashreplace")) % self._policy.keep_one_in:
                return "sampled"
            entry.weight *= self._policy.keep_one_in
        return self._protect(entry) if self._protect is not None else entry

    def _hand_over(self, entry: LogEntry) -> Logged | Waiting:
        disk = self._disk
        try:
            if disk.is_stalled and self._policy.on_failure == "fail_closed":
                raise StoreError("the disk does not answer", where=str(self._folder), fix=SEE_THE_DISK)
            waiting = disk.submit(encode(entry, self._layout))
        except StoreError as error:
            return self._not_written(error)
        return self.settled(waiting) if disk.is_stalled else waiting

    def _wait(self, said: Logged | Waiting, timeout_s: float) -> Logged:
        if not isinstance(said, Waiting):
            return said
        said.wait(timeout_s)
        return self.settled(said)

    def _begin(self) -> None:
        self._seal()
        self._cap.check("", reserved_for(0))
        self._file = SegmentFile(self._folder, self._replica, self._layout.schema_id, self._before)
        self._number, self._sequence = self._file.number, 0
        self._base, self._place = self._file.at, 0
        self._show(self._file)

    def _extend(self, more: int) -> int:
        """Make room for a record of `more` bytes; where it will end in the window.

        Where there is none the segment is sealed: once the recorder has drained and deleted it, its own room is free.
        """
        file = self._file
        assert file is not None, "there is a segment from `_begin` on"
        file.at = self._base + self._place
        try:
            self._cap.check(file.name, reserved_for(file.at + more))
            file.reserve(more)
        except (OSError, StoreError):
            self._seal()
            raise
        self._show(file)
        return self._place + more

    def _show(self, file: SegmentFile) -> None:
        window, place = file.window()
        self._window.close()
        self._window, self._place, self._base = window, place, file.at - place
        self._end = file.reserved - self._base - SEAL.size
        self._enough = self._segment_bytes - self._base

    def _seal(self) -> None:
        file, self._file = self._file, None
        if file is None:
            return
        file.at, file.records = self._base + self._place, self._sequence
        self._before = (file.number, file.records)
        self._sealed += self._sequence
        self._sequence = 0
        self._place = self._end = self._enough = 0
        self._window.close()  # it holds the lock too
        file.seal()

    def _not_written(self, error: OSError | StoreError) -> Logged:
        self.failed += 1
        self.failure = str(error)
        if self._policy.on_failure == "serve_unlogged":
            return "no"
        if isinstance(error, StoreError):
            raise error
        raise StoreError(
            f"a prediction cannot be written down: {error}",
            where=str(self._folder),
            fix="make room on this file system, or set serving.on_log_failure: serve_unlogged",
        ) from error
