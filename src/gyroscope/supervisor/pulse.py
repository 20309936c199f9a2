"""What a replica tells its parent without a call: words in a shared memory-mapped file.

The replica writes (beats, the item it works on, counters); the supervisor and control read. Every number is one
aligned 64-bit word, stored and loaded whole, so readers need no lock. It never judges: that is `hung.py`.
"""

from __future__ import annotations

import mmap
import os
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path

from gyroscope.errors import ProcessError

COUNTERS = (
    "requests_2xx", "requests_4xx", "requests_5xx", "rows", "logged", "unlogged", "rejected", "sampled_out",
    "failed_ns", "model_calls", "model_requests", "busy_ns",
    "copied", "copies_lost", "queue_ns",
)  # fmt: skip
"""Names of the counters a replica keeps; append at the end only, the order is the layout."""

LATENCY_BOUNDS_S = (
    0.0005, 0.001, 0.0015, 0.002, 0.003, 0.004, 0.005, 0.0075, 0.01, 0.015, 0.02,
    0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0,
)  # fmt: skip
"""Upper bounds of the latency buckets; one more bucket holds everything above the last."""

ABSENT, STARTING, READY, DRAINING = 0, 1, 2, 3
STATES = {ABSENT: "absent", STARTING: "starting", READY: "ready", DRAINING: "draining"}

_MAGIC = 0x4759_524F_0000_0001
_PID, _STATE, _BEAT, _STARTED, _DEADLINE, _LIMIT, _ROOM = 1, 2, 3, 4, 5, 6, 7
_COUNTERS_AT = 8
BATCH_BOUNDS = (1, 2, 4, 8, 16, 32, 64)
"""Upper bounds of the buckets for how many requests one prediction was for."""
_BATCHES_AT = 32  # leaves room for 23 counters, and for _PLAIN, before the layout, and with it _MAGIC, must change
_WAITING = 39
_BUCKETS_AT = 40
_SUM_AT = _BUCKETS_AT + len(LATENCY_BOUNDS_S) + 1
_INPUTS_AT = _SUM_AT + 1
MOST_INPUTS = 64
"""Calls that may be in hand at once: so many places there are for their hashes, the last one followed by a zero."""
_WORDS = _INPUTS_AT + MOST_INPUTS + 1
_BOUNDS_NS = tuple(round(bound * 1e9) for bound in LATENCY_BOUNDS_S)
_INDEX = {name: _COUNTERS_AT + i for i, name in enumerate(COUNTERS)}
_PLAIN = _BATCHES_AT - 1
_COUNTED_PLAIN = ("requests_2xx", "rows", "model_calls", "model_requests")
"""Each of these, and the bucket of predictions for one call, counts the plain requests too: they have one word, because
a word costs as much to raise as three cost to set."""
_MODEL_CALLS, _MODEL_REQUESTS = _INDEX["model_calls"], _INDEX["model_requests"]
_BUSY, _QUEUED = _INDEX["busy_ns"], _INDEX["queue_ns"]

_SERVED, _ROWS = _INDEX["requests_2xx"], _INDEX["rows"]


class Pulse:
    """One replica's words. One writer (the thread that does the work), any number of readers.

    A replica works on one item (request or batch) at a time: `begin` ... `end`. Between items it calls `beat` at
    least every 100 ms *from the path that does the work*; a beat from a side thread would hide a stuck model.
    """

    def __init__(self, words: memoryview, pages: mmap.mmap, path: Path) -> None:
        self._words = words
        self._pages = pages
        self.path = path

    @classmethod
    def create(cls, path: Path | str) -> Pulse:
        """Take over the file as its writer; counters of a predecessor of the same name continue, so they never fall.

        Raises `ProcessError` when the folder is missing or full.
        """
        path = Path(path)
        try:
            if not _fits(path):
                _lay_out(path)
            pulse = cls._map(path)
        except OSError as error:
            raise ProcessError(
                f"the pulse file cannot be made: {error.strerror}",
                where=str(path),
                fix="make room in the runtime folder",
            ) from error
        for word in (_STATE, _BEAT, _STARTED, _DEADLINE, _LIMIT, _ROOM, _WAITING):
            pulse._words[word] = 0
        pulse._words[_PID] = os.getpid()
        pulse._words[_STATE] = STARTING
        return pulse

    @classmethod
    def open(cls, path: Path | str) -> Pulse:
        """Map an existing file for reading. Raises `ProcessError` when there is none yet, or it is not one of ours."""
        path = Path(path)
        try:
            if _fits(path):
                return cls._map(path)
        except OSError as error:
            raise ProcessError(f"the pulse file cannot be read: {error.strerror}", where=str(path)) from error
        raise ProcessError("no pulse file", where=str(path), fix="wait until the replica has started")

    @classmethod
    def _map(cls, path: Path) -> Pulse:
        with path.open("r+b") as file:
            pages = mmap.mmap(file.fileno(), _WORDS * 8)
        return cls(memoryview(pages).cast("Q"), pages, path)

    def ready(self) -> None:
        """Say that requests may come."""
        self._words[_STATE] = READY

    def draining(self) -> None:
        """Say that no more requests should come; the hang rules go on."""
        self._words[_STATE] = DRAINING

    def beat(self, now_ns: int) -> None:
        """Say that the work path is alive."""
        self._words[_BEAT] = now_ns

    def begin(self, now_ns: int, deadline_ns: int, inputs: Sequence[int] = (), queue_ns: int = 0) -> None:
        """Say that an item was begun and when it must be done: from here only the deadline counts, not beats.

        `inputs` are hashes of the calls it is made of, at most `MOST_INPUTS`, for the case that it is never ended;
        `queue_ns` is how long all of them together have been here already.
        """
        words, at = self._words, _INPUTS_AT
        for input_hash in inputs:
            words[at] = input_hash
            at += 1
        words[at] = 0
        if inputs:
            calls = len(inputs)
            words[_MODEL_REQUESTS] += calls
            words[_BATCHES_AT + (calls - 1).bit_length()] += 1
            words[_QUEUED] += max(0, queue_ns)
        words[_BEAT] = now_ns
        words[_STARTED] = now_ns
        words[_DEADLINE] = deadline_ns

    def begin_turn(self, now_ns: int, deadline_ns: int) -> None:
        """Say that plain calls were begun, and when all must be done. Counts nothing yet."""
        words = self._words
        words[_INPUTS_AT] = words[_INPUTS_AT + 1] = 0
        words[_BEAT] = now_ns
        words[_STARTED] = now_ns
        words[_DEADLINE] = deadline_ns

    def hold(self, input_hash: int) -> None:
        """Say which call of the turn is in hand now: it alone is to blame when it is never ended."""
        self._words[_INPUTS_AT] = input_hash

    def hold_all(self, inputs: Sequence[int]) -> None:
        """Say that these calls of the turn are in hand together."""
        words = self._words
        words[_INPUTS_AT + len(inputs)] = 0
        for at in range(len(inputs) - 1, -1, -1):  # the first one last: until it is there, none is in hand
            words[_INPUTS_AT + at] = inputs[at]

    def end_turn(self, now_ns: int) -> None:
        """As `end`, which counts nothing yet."""
        words = self._words
        words[_BEAT] = now_ns
        words[_DEADLINE] = 0
        words[_STARTED] = 0

    def served_turn(self, arrived: Sequence[int], began_ns: int, ended_ns: int) -> None:
        """Count plain calls, answered from `began_ns` on, that arrived at these times; not their log entries.

        Each with all that `begin`, `end` and `served` count of an item of one call of one row.
        """
        words, calls, came = self._words, len(arrived), sum(arrived)
        words[_PLAIN] += calls
        words[_BUSY] += ended_ns - began_ns
        words[_QUEUED] += calls * began_ns - came
        words[_SUM_AT] += calls * ended_ns - came
        latencies = [ended_ns - at for at in arrived]
        bucket = bisect_left(_BOUNDS_NS, max(latencies))
        if bucket == bisect_left(_BOUNDS_NS, min(latencies)):  # as a rule
            words[_BUCKETS_AT + bucket] += calls
            return
        for latency in latencies:
            words[_BUCKETS_AT + bisect_left(_BOUNDS_NS, latency)] += 1

    def end(self, now_ns: int) -> None:
        """Say that the item is done. The beat goes first, else a reader in between sees an old beat and no item."""
        if self._words[_STARTED]:
            self._words[_MODEL_CALLS] += 1
            self._words[_BUSY] += max(0, now_ns - self._words[_STARTED])
        self._words[_BEAT] = now_ns
        self._words[_DEADLINE] = 0
        self._words[_STARTED] = 0

    def admit(self, limit: int, room: int) -> None:
        """Say how many requests at once are best, and how many more may wait for them at the door."""
        self._words[_LIMIT] = limit
        self._words[_ROOM] = room

    def wait(self, calls: int) -> None:
        """Say how many calls are in line behind the one in hand."""
        self._words[_WAITING] = calls

    def add(self, name: str, n: int = 1) -> None:
        """Raise one of `COUNTERS`."""
        self._words[_INDEX[name]] += n

    def served(self, rows: int, entry: str, ns: int) -> None:
        """Count one request answered as it was asked, in one step; `entry` is the counter of its log entry, if any."""
        words = self._words
        words[_SERVED] += 1
        words[_ROWS] += rows
        if entry:
            words[_INDEX[entry]] += 1
        words[_BUCKETS_AT + bisect_left(_BOUNDS_NS, ns)] += 1
        words[_SUM_AT] += ns

    def observe_latency(self, ns: int) -> None:
        """Count one answered request in its latency bucket."""
        self._words[_BUCKETS_AT + bisect_left(_BOUNDS_NS, ns)] += 1
        self._words[_SUM_AT] += max(ns, 0)

    @property
    def pid(self) -> int:
        return self._words[_PID]

    @property
    def state(self) -> str:
        """One of absent, starting, ready, draining."""
        return STATES.get(self._words[_STATE], "absent")

    @property
    def beat_ns(self) -> int:
        """When the work path last said it was alive; 0: never."""
        return self._words[_BEAT]

    @property
    def started_ns(self) -> int:
        """When the item in hand was begun; 0: nothing in hand."""
        return self._words[_STARTED]

    @property
    def deadline_ns(self) -> int:
        """When the item in hand must be done; 0: nothing in hand."""
        return self._words[_DEADLINE]

    @property
    def limit(self) -> int:
        """Requests that the door should send at once; 0: not known yet."""
        return self._words[_LIMIT]

    @property
    def room(self) -> int:
        """Requests that may wait at the door for this replica; 0: not known yet."""
        return self._words[_ROOM]

    @property
    def inputs(self) -> list[int]:
        """Hashes of the calls in hand; those of the last item when nothing is."""
        found = self._words[_INPUTS_AT : _INPUTS_AT + MOST_INPUTS + 1].tolist()
        return found[: found.index(0)]

    @property
    def in_hand(self) -> int:
        """Calls that the model is working on."""
        return len(self.inputs) if self.started_ns else 0

    @property
    def waiting(self) -> int:
        """Calls in line behind those."""
        return self._words[_WAITING]

    def batch_buckets(self) -> list[int]:
        """Predictions by the calls they were for (not cumulative), one bucket per bound and none above the last."""
        alone, *others = self._words[_BATCHES_AT : _BATCHES_AT + len(BATCH_BOUNDS)].tolist()
        return [alone + self._words[_PLAIN], *others]

    def counters(self) -> dict[str, int]:
        """All counters since the file was made, over every process of this name."""
        plain = self._words[_PLAIN]
        return {name: self._words[at] + (plain if name in _COUNTED_PLAIN else 0) for name, at in _INDEX.items()}

    def latency_buckets(self) -> list[int]:
        """Requests per bucket (not cumulative): one per bound, then one for everything above."""
        return self._words[_BUCKETS_AT:_SUM_AT].tolist()

    @property
    def latency_sum_ns(self) -> int:
        return self._words[_SUM_AT]

    def close(self) -> None:
        """Unmap; the file stays."""
        self._words.release()
        self._pages.close()


def _fits(path: Path) -> bool:
    """Whether the file is a whole pulse file of this layout."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
            return int.from_bytes(head, "little") == _MAGIC and os.fstat(file.fileno()).st_size == _WORDS * 8
    except FileNotFoundError:
        return False


def _lay_out(path: Path) -> None:
    """A zeroed file, whole from the moment it has its name: no reader meets half of one."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, _MAGIC.to_bytes(8, "little") + bytes((_WORDS - 1) * 8))
    finally:
        os.close(descriptor)
    fresh.rename(path)
