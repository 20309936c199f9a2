"""Durability `full`: told after the disk has it; a failed sync never asked again; a disk that hangs holds up nobody."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.predictions.house import Entry, House

from gyroscope.errors import StoreError
from gyroscope.predictions.segments import cap, full
from gyroscope.predictions.segments.full import Waiting

MIB = 1024 * 1024
ROWS_OF_A_MIB = 29_000


class Disk:
    """Stands between the log and the system calls of its thread: counts, fails or blocks them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.synced: list[int] = []
        self.fail_syncs = 0
        self.fail_writes = 0
        self.error: Exception = OSError(5, "Input/output error")
        self.is_open = threading.Event()
        self.is_open.set()
        self._sync, self._write = os.fdatasync, os.pwrite
        monkeypatch.setattr(full.os, "fdatasync", self.fdatasync)
        monkeypatch.setattr(full.os, "pwrite", self.pwrite)

    def fdatasync(self, fd: int) -> None:
        self.is_open.wait()
        self.synced.append(fd)
        if self.fail_syncs:
            self.fail_syncs -= 1
            raise OSError(5, "Input/output error")
        self._sync(fd)

    def pwrite(self, fd: int, data: bytes, at: int) -> int:
        if self.fail_writes:
            self.fail_writes -= 1
            self._write(fd, data[: len(data) // 2], at)
            raise self.error
        return self._write(fd, data, at)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    made = Disk(monkeypatch)
    yield made
    made.is_open.set()


def test_an_entry_is_synced_when_append_returns(house: House, entry: Entry, disk: Disk) -> None:
    writer = house.log(mode="full")
    assert [writer.append(entry(number)) for number in range(3)] == ["full"] * 3
    assert house.ids() == ["r-000000", "r-000001", "r-000002"]
    assert (writer.logged, writer.failed, len(disk.synced)) == (3, 0, 3)


def test_those_who_wait_share_a_sync(house: House, entry: Entry, disk: Disk) -> None:
    writer = house.log(mode="full")
    disk.is_open.clear()
    first = writer.submit(entry(0))
    while not writer._disk._busy_since_ns:
        pass
    others = [writer.submit(entry(number)) for number in range(1, 50)]
    assert [waiting.outcome for waiting in (first, *others)] == [None] * 50
    disk.is_open.set()
    assert [waiting.wait(10) for waiting in (first, *others)] == ["full"] * 50
    assert len(disk.synced) == 2
    assert house.ids() == [f"r-{number:06d}" for number in range(50)]


def test_many_entries_are_appended_in_few_commits(house: House, entry: Entry, disk: Disk) -> None:
    writer = house.log(mode="full")
    assert writer.append_all([entry(number) for number in range(200)]) == ["full"] * 200
    assert len(disk.synced) < 200
    assert house.log(1).append_all([entry(1), entry(2)]) == ["os", "os"]


@pytest.mark.parametrize("what", ["fail_syncs", "fail_writes"])
def test_after_a_failure_the_same_file_is_never_asked_again(house: House, entry: Entry, disk: Disk, what: str) -> None:
    writer = house.log(mode="full")
    assert writer.append(entry(1)) == "full"
    file = writer._disk._file.name
    setattr(disk, what, 1)
    assert writer.append(entry(2)) == "full"
    assert writer._disk._file.name != file
    assert writer.append(entry(3)) == "full"
    writer.close()
    assert (len(disk.synced), writer.failed) == (5 if what == "fail_syncs" else 4, 0)  # the last one is the seal's
    assert house.ids()[-2:] == ["r-000002", "r-000003"]
    assert set(house.ids()) == {"r-000001", "r-000002", "r-000003"}


def test_a_disk_that_takes_nothing_is_said_at_once_and_heals(
    house: House, entry: Entry, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(full, "LOOK_AGAIN_NS", 0)
    writer = house.log(mode="full")
    disk.fail_syncs = 2
    assert writer.append(entry(1)) == "no"
    assert "Input/output error" in writer.failure
    assert writer.append(entry(2)) == "full"
    assert (writer.logged, writer.failed) == (1, 1)


def test_while_the_disk_has_just_refused_nobody_waits(
    house: House, entry: Entry, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(full, "LOOK_AGAIN_NS", 10**12)
    writer = house.log(mode="full")
    disk.fail_syncs = 2
    assert [writer.append(entry(number)) for number in range(3)] == ["no"] * 3
    assert (disk.fail_syncs, writer.failed) == (0, 3)
    assert "takes nothing" in writer.failure
    assert "fix:   make room" in writer.failure


def test_fail_closed_raises(house: House, entry: Entry, disk: Disk) -> None:
    writer = house.log(mode="full", on_failure="fail_closed")
    disk.fail_syncs = 2
    with pytest.raises(StoreError, match="Input/output error"):
        writer.append(entry(1))


def test_a_fault_of_its_own_is_said_and_the_next_is_written(house: House, entry: Entry, disk: Disk) -> None:
    writer = house.log(mode="full", on_failure="fail_closed")
    assert writer.append(entry(0)) == "full"
    disk.fail_writes, disk.error = 1, MemoryError()
    with pytest.raises(StoreError, match="MemoryError") as refused:
        writer.append(entry(1))
    assert "see what the disk does" in refused.value.fix
    thread = writer._disk._thread
    assert writer.append(entry(2)) == "full"
    assert (writer._disk._thread, writer._disk._busy_since_ns, writer._disk._queued_bytes) == (thread, 0, 0)
    writer.close()
    assert house.ids() == ["r-000000", "r-000002"]


def test_who_cannot_be_told_keeps_it_from_nobody_else(house: House, entry: Entry, disk: Disk) -> None:
    writer = house.log(mode="full")
    disk.is_open.clear()
    first, second = writer.submit(entry(0)), writer.submit(entry(1))
    first.then(lambda _: {}["gone"])
    disk.is_open.set()
    assert second.wait(10) == "full"
    assert writer.append(entry(2)) == "full"
    assert writer._disk._queued_bytes == 0


@pytest.mark.parametrize("policy", ["serve_unlogged", "fail_closed"])
def test_a_disk_that_hangs_holds_up_nobody_and_heals(
    house: House, entry: Entry, disk: Disk, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    """Who waits gives up; who comes later is told at once; served entries reach the disk when it comes back."""
    monkeypatch.setattr(full, "STALLED_NS", 0)
    writer = house.log(mode="full", on_failure=policy)
    disk.is_open.clear()
    first = writer.submit(entry(0))
    assert isinstance(first, Waiting)
    while not writer._disk.is_stalled:
        pass
    for number in (1, 2):
        assert _said(writer.submit, entry(number)) == "no"
    assert _said(writer.settled, first) == "no"
    assert writer.failed == 3
    assert "fix:   see what the disk does" in writer.failure
    disk.is_open.set()
    while writer._disk.is_stalled or writer._disk._queue:
        pass
    monkeypatch.setattr(full, "STALLED_NS", 10**12)
    assert writer.append(entry(3)) == "full"
    late = ["r-000001", "r-000002"] if policy == "serve_unlogged" else []
    assert house.ids() == ["r-000000", *late, "r-000003"]
    assert (writer.logged, writer.failed) == (1, 3)


def _said(call: Callable[[Any], object], argument: object) -> object:
    try:
        return call(argument)
    except StoreError:
        return "no"


def test_memory_is_bounded_while_the_disk_hangs(house: House, entry: Entry, disk: Disk) -> None:
    writer = house.log(mode="full", cap_bytes=4 * MIB)
    disk.is_open.clear()
    said = [writer.submit(entry(number, rows=ROWS_OF_A_MIB)) for number in range(6)]
    assert [one if one == "no" else "waits" for one in said] == ["waits"] * 4 + ["no"] * 2
    assert "wait for the disk" in writer.failure
    disk.is_open.set()
    assert [one.wait(10) for one in said[:4]] == ["full"] * 4


def test_at_the_cap_it_waits_for_the_recorder(
    house: House, entry: Entry, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(full, "LOOK_AGAIN_NS", 0)
    monkeypatch.setattr(cap, "LOOK_AGAIN_NS", 0)
    writer = house.log(mode="full", cap_bytes=4 * MIB)
    said = [writer.append(entry(number, rows=ROWS_OF_A_MIB // 2)) for number in range(15)]
    assert set(said) == {"full", "no"}
    assert sum(path.stat().st_size for path in house.segments()) <= 4 * MIB
    house.record()
    assert writer.append(entry(99)) == "full"


def test_segments_rotate_and_are_sealed(house: House, entry: Entry, disk: Disk) -> None:
    writer = house.log(mode="full", cap_bytes=12 * MIB)
    for number in range(7):
        assert writer.append(entry(number, rows=ROWS_OF_A_MIB)) == "full"
    writer.close()
    assert len(house.sealed()) > 1
    assert all(house.sealed())
    assert house.damages() == []
    assert all(path.stat().st_size % MIB for path in house.segments())


def test_a_full_disk_is_said_and_survived(
    small_tmpfs: Path, house: House, entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(full, "LOOK_AGAIN_NS", 0)
    house.folder = small_tmpfs / "s"
    writer = house.log(mode="full")
    hog = small_tmpfs / "hog"
    hog.write_bytes(bytes(5 * MIB // 2))
    assert writer.append(entry(0)) == "no"
    hog.write_bytes(bytes(3 * MIB // 2))
    said = [writer.append(entry(number, rows=ROWS_OF_A_MIB // 4)) for number in range(1, 12)]
    assert (said[:3], said[4:]) == (["full"] * 3, ["no"] * 7)
    assert "No space left" in writer.failure
    assert house.sealed() == [True], "what is drained and deleted makes room again"
    house.drop_drained()
    assert writer.append(entry(12)) == "full"
    hog.unlink()
    assert writer.append(entry(13, rows=2 * ROWS_OF_A_MIB)) == "full"
    writer.close()
    assert house.damages() == []
    assert (house.ids(), writer.logged) == (["r-000012", "r-000013"], said.count("full") + 2)


def test_closing_writes_what_waits_and_the_log_can_be_used_again(house: House, entry: Entry, disk: Disk) -> None:
    writer = house.log(mode="full")
    waiting = [writer.submit(entry(number)) for number in range(5)]
    writer.close()
    assert [one.outcome for one in waiting] == ["full"] * 5
    assert writer.append(entry(5)) == "full"
    assert len(house.segments()) == 2


def test_closing_leaves_a_disk_that_hangs_behind(
    house: House, entry: Entry, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(full, "CLOSE_S", 0.01)
    writer = house.log(mode="full")
    disk.is_open.clear()
    waiting = writer.submit(entry(1))
    writer.close()
    assert waiting.outcome is None
    disk.is_open.set()
    assert waiting.wait(10) == "full"


def test_an_outcome_is_told_once_and_also_to_who_asks_late(house: House, entry: Entry, disk: Disk) -> None:
    writer = house.log(mode="full")
    waiting = writer.submit(entry(1))
    assert waiting.wait(10) == "full"
    told: list[str] = []
    waiting.then(told.append)
    assert (told, waiting.settle("no"), waiting.outcome) == (["full"], False, "full")
    assert writer.settled(waiting) == "full"


WRITER = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from gyroscope.predictions.segments.log import LogPolicy, PredictionLog
from tests.predictions.house import VERSION, make_entry
log = PredictionLog(Path({folder!r}), "flights-0a1b2c3d4e5f-0", VERSION, LogPolicy(mode="full"))
for number in range(100):
    print(number, log.append(make_entry(number)), flush=True)
"""


def test_a_killed_writer_has_lost_nothing_that_it_acknowledged(house: House, entry: Entry, tmp_path: Path) -> None:
    script = WRITER.format(tests=str(Path(__file__).parents[3]), folder=str(house.folder))
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    said = [child.stdout.readline() for _ in range(10)]
    child.kill()
    said += child.stdout.read().splitlines()
    child.wait()
    child.stdout.close()
    acknowledged = [f"r-{int(line.split()[0]):06d}" for line in said if line.strip().endswith("full")]
    assert len(acknowledged) >= 10
    assert house.ids()[: len(acknowledged)] == acknowledged
