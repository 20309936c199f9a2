"""What a replica calls before it answers: one append to its own segment.

With durability `os` the segment lies on tmpfs and is written through memory, without a system call per record; with
`full` `full.py` brings it to the disk. The recorder drains segments. This module never reads one.
"""

from __future__ import annotations

import mmap
import threading
from pathlib import Path
from typing import Literal

from gyroscope.errors import StoreError
from gyroscope.predictions.cap import Cap
from gyroscope.predictions.segment_file import NEW_SUFFIX, SUFFIX, SegmentFile, reserved_for, segment_folder
from gyroscope.predictions.wal import MAGIC, MISFITS, PREFIX, SEAL, Layout, LogEntry, misfit, pack
from gyroscope.records import Version

__all__ = ["NEW_SUFFIX", "SUFFIX", "Logged", "PredictionLog", "segment_folder"]

Logged = Literal["os", "no"]

SEGMENT_BYTES = 8 * 1024 * 1024
_put_prefix = PREFIX.pack_into


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
        self._cap = Cap(folder, replica, cap_bytes)
        # A quarter of the cap at most, so that draining one sealed segment always makes room for the next.
        self._segment_bytes = max(1, min(SEGMENT_BYTES, cap_bytes // 4))
        self._lock = threading.Lock()
        self._file: SegmentFile | None = None
        self._before = (0, 0)
        # The window of memory onto the segment: where in the file it begins, where in it the next record goes, where it
        # ends, and where the segment is long enough. All zero: there is no segment.
        self._window = mmap.mmap(-1, mmap.PAGESIZE)
        self._base = self._place = self._end = self._enough = 0
        self._number = self._sequence = 0

    def append(self, entry: LogEntry) -> Logged:
        """Write one entry: "os" when the kernel has all of it, "no" when it was not written.

        Raises `StoreError` when it was not written and the policy is "fail_closed".
        """
        if self._mode == "off":
            return "no"
        self._lock.acquire()  # not `with`, which takes twice as long
        try:
            if self._place >= self._enough:
                self._begin()
            checksum, rest = pack(entry, self._layout, self._number, self._sequence)
            after = self._place + 8 + len(rest)
            if after > self._end:
                after = self._extend(8 + len(rest))
            place = self._place
            self._window[place + 8 : after] = rest
            # Last, so that a reader in another process finds zeros or a record.
            _put_prefix(self._window, place, MAGIC, checksum)
            self._place = after
            self._sequence += 1
            self.logged += 1
            return "os"
        except (OSError, StoreError) as error:
            return self._not_written(error)
        except MISFITS as error:
            return self._not_written(misfit(entry, error))
        finally:
            self._lock.release()

    def close(self) -> None:
        """Seal the current segment; the log may be used again and then begins a new one."""
        with self._lock:
            self._seal()

    def _begin(self) -> None:
        self._seal()
        self._cap.check("", reserved_for(0))
        self._file = SegmentFile(self._folder, self._replica, self._layout.schema_id, self._before)
        self._number, self._sequence = self._file.number, 0
        self._show(self._file)

    def _extend(self, more: int) -> int:
        """Make room for a record of `more` bytes; where it will end in the window."""
        file = self._file
        assert file is not None, "there is a segment from `_begin` on"
        file.at = self._base + self._place
        self._cap.check(file.name, reserved_for(file.at + more))
        file.reserve(more)
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
        self._place = self._end = self._enough = 0
        self._window.close()  # it holds the lock too
        file.seal()

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
