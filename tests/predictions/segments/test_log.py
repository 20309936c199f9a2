"""A replica's log: one whole record or none, policies when it is full, a new segment for every life."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from tests.predictions.house import Entry, House
from xxhash import xxh3_64_intdigest

from gyroscope.errors import StoreError
from gyroscope.predictions.segments import cap
from gyroscope.predictions.segments import file as segment_file
from gyroscope.predictions.segments.file import SegmentFile
from gyroscope.predictions.segments.log import LogPolicy, PredictionLog
from gyroscope.predictions.segments.wal import HEADER, MAGIC, PREFIX, SEGMENT_HEAD, Layout, seal, segment_head

MIB = 1024 * 1024
ROWS_OF_A_MIB = 29_000


def test_an_entry_is_in_the_file_when_append_returns(house: House, entry: Entry) -> None:
    writer = house.log()
    assert [writer.append(entry(number)) for number in range(3)] == ["os"] * 3
    assert house.ids() == ["r-000000", "r-000001", "r-000002"]
    assert (writer.logged, writer.failed) == (3, 0)


def test_off_writes_nothing_and_is_no_failure(house: House, entry: Entry) -> None:
    writer = house.log(mode="off")
    assert writer.append(entry(1)) == "off"
    assert (writer.failed, house.segments()) == (0, [])


@pytest.mark.parametrize("mode", ["os", "full"])
def test_sampling_keeps_every_error_and_weighs_what_it_keeps(house: House, entry: Entry, mode: str) -> None:
    writer = house.log(mode=mode, keep_one_in=4)
    answers = writer.append_all([entry(number) for number in range(400)])
    errors = writer.append_all([entry(number, status=422) for number in range(400, 420)])
    kept = [f"r-{n:06d}" for n in range(400) if xxh3_64_intdigest(b"r-%06d" % n) % 4 == 0]
    assert (answers.count(mode), answers.count("sampled"), errors) == (len(kept), 400 - len(kept), [mode] * 20)
    assert house.ids() == [*kept, *(f"r-{n:06d}" for n in range(400, 420))]
    assert house.weights() == [4] * len(kept) + [1] * 20
    assert (writer.logged, writer.failed) == (len(kept) + 20, 0)
    assert 60 < len(kept) < 140


def test_every_attempt_at_a_request_meets_the_same_verdict(house: House, entry: Entry) -> None:
    first, second = house.log(0, keep_one_in=3), house.log(1, keep_one_in=3)
    assert [first.append(entry(n)) for n in range(50)] == [second.append(entry(n)) for n in range(50)]


def test_what_stood_for_many_before_stands_for_more(house: House, entry: Entry) -> None:
    number = next(n for n in range(100) if xxh3_64_intdigest(b"r-%06d" % n) % 5 == 0)
    assert house.log(keep_one_in=5).append(entry(number, weight=3)) == "os"
    assert house.weights() == [15]


def test_a_restarted_replica_begins_a_new_segment(house: House, entry: Entry) -> None:
    house.write(entry(1))
    house.write(entry(2))
    assert len(house.segments()) == 2


def test_segments_rotate_and_only_the_current_one_is_live(house: House, entry: Entry) -> None:
    writer = house.log(cap_bytes=16 * MIB)
    for number in range(10):
        assert writer.append(entry(number, rows=ROWS_OF_A_MIB)) == "os"
    assert len(house.sealed()) > 1
    assert house.sealed() == [True] * (len(house.sealed()) - 1) + [False]
    assert house.ids() == [f"r-{n:06d}" for n in range(10)]
    writer.close()
    assert all(house.sealed())


def test_head_numbers_and_seal_say_what_must_be_there(house: House, entry: Entry) -> None:
    writer = house.log(cap_bytes=12 * MIB)
    for number in range(7):
        writer.append(entry(number, rows=ROWS_OF_A_MIB))
    paths = sorted(house.folder.glob("*.seg"), key=lambda path: path.stem.rpartition("-")[2])
    schema = Layout(house.versions["0a1b2c3d4e5f"].signature).schema_id
    before = (0, 0)
    for path in paths:
        data, number = path.read_bytes(), int(path.stem.rpartition("-")[2], 16)
        assert data.startswith(segment_head(number, schema, *before))
        at, records = SEGMENT_HEAD.size, 0
        while data.startswith(MAGIC, at):
            fields = HEADER.unpack_from(data, at + PREFIX.size)
            assert (fields[2], fields[9]) == (number, records)
            at, records = at + fields[1], records + 1
        before = (number, records)
        if path is paths[-1]:
            assert (len(data) % MIB, data[at:].strip(b"\0"), records) == (0, b"", 3)
        else:
            assert (data[at:], records) == (seal(number, records), 4)
    assert len(paths) == 2


def test_a_request_larger_than_a_segment_is_written_whole(house: House, entry: Entry) -> None:
    writer = house.log(cap_bytes=8 * MIB)
    big = entry(1, rows=4 * ROWS_OF_A_MIB)
    assert [writer.append(some) for some in (entry(0), big, entry(2))] == ["os"] * 3
    assert house.ids() == ["r-000000", "r-000001", "r-000002"]


def test_many_threads_write_whole_records(house: House, entry: Entry) -> None:
    writer = house.log()
    threads = [threading.Thread(target=_append_some, args=(writer, entry, first)) for first in range(0, 4_000, 1_000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert house.damages() == []
    assert sorted(house.ids()) == [f"r-{number:06d}" for number in range(4_000)]
    assert writer.logged == 4_000


def _append_some(writer: PredictionLog, entry: Entry, first: int) -> None:
    for number in range(first, first + 1_000):
        writer.append(entry(number))


def test_at_the_cap_it_serves_unlogged_and_counts(house: House, entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cap, "LOOK_AGAIN_NS", 0)
    writer = house.log(cap_bytes=4 * MIB)
    said = [writer.append(entry(number, rows=ROWS_OF_A_MIB // 2)) for number in range(15)]
    assert set(said) == {"os", "no"}
    assert (writer.logged, writer.failed) == (said.count("os"), said.count("no"))
    assert "cap of 4194304 bytes" in writer.failure
    assert sum(path.stat().st_size for path in house.segments()) <= 4 * MIB
    assert len(house.ids()) == said.count("os")
    house.record()
    assert writer.append(entry(99)) == "os"


def test_the_cap_holds_over_restarts(house: House, entry: Entry) -> None:
    first = house.log(cap_bytes=4 * MIB)
    while first.append(entry(1, rows=ROWS_OF_A_MIB)) == "os":
        pass
    first.close()
    assert house.log(cap_bytes=4 * MIB).append(entry(2, rows=ROWS_OF_A_MIB)) == "no"


def test_fail_closed_raises(house: House, entry: Entry) -> None:
    writer = house.log(cap_bytes=100, on_failure="fail_closed")
    with pytest.raises(StoreError, match="cap of 100 bytes"):
        writer.append(entry(1))
    assert writer.failed == 1


def test_an_entry_that_does_not_fit_follows_the_policy_too(house: House, entry: Entry) -> None:
    wrong = entry(1)
    wrong.matrix = np.zeros((1, 2))
    writer = house.log()
    assert writer.append(wrong) == "no"
    assert "the matrix is (1, 2)" in writer.failure
    assert writer.append(entry(2)) == "os"


def test_so_does_each_of_plain_rows(house: House) -> None:
    writer = house.log()
    fitting = (bytes(16) + b"mine", 4, 1_700, 1)
    assert writer.append_plain([fitting, (b"numbersyours", 5, 2**63, 1), fitting]) == ["os", "no", "os"]
    assert (writer.failed, "request 'yours'" in writer.failure, writer.logged) == (1, True, 2)
    assert writer.append_plain([fitting]) == ["os"], "the turn was given back"


def test_a_folder_that_cannot_be_made_is_a_failure_not_a_crash(tmp_path: Path, house: House, entry: Entry) -> None:
    (tmp_path / "file").write_text("in the way")
    version = house.versions["0a1b2c3d4e5f"]
    open_log = PredictionLog(tmp_path / "file", "r-0", version)
    assert open_log.append(entry(1)) == "no"
    with pytest.raises(StoreError, match="cannot be written down"):
        PredictionLog(tmp_path / "file", "r-0", version, LogPolicy(on_failure="fail_closed")).append(entry(1))


def test_a_full_tmpfs_is_said_and_survived(small_tmpfs: Path, house: House, entry: Entry) -> None:
    """Full at the first segment, at the next chunk of one, and at the next segment; each heals by itself."""
    house.folder = small_tmpfs / "s"
    writer = house.log()
    hog = small_tmpfs / "hog"
    hog.write_bytes(bytes(5 * MIB // 2))
    assert writer.append(entry(0)) == "no"
    assert house.segments() == []
    hog.write_bytes(bytes(3 * MIB // 2))
    said = [writer.append(entry(number, rows=ROWS_OF_A_MIB // 4)) for number in range(1, 12)]
    assert (said[:3], said[4:]) == (["os"] * 3, ["no"] * 7)
    assert "No space left" in writer.failure
    assert house.sealed() == [True], "what is drained and deleted makes room again"
    house.drop_drained()
    assert writer.append(entry(12)) == "os"
    hog.unlink()
    assert writer.append(entry(13, rows=2 * ROWS_OF_A_MIB)) == "os"
    writer.close()
    assert house.damages() == []
    assert (house.ids(), writer.logged) == (["r-000012", "r-000013"], said.count("os") + 2)


def test_without_inodes_nothing_is_written(small_tmpfs: Path, house: House, entry: Entry) -> None:
    subprocess.run(["mount", "-o", "remount,nr_inodes=3", small_tmpfs], check=True)
    (small_tmpfs / "s").mkdir()
    (small_tmpfs / "other").touch()
    writer = PredictionLog(small_tmpfs / "s", "flights-0a1b2c3d4e5f-0", house.versions["0a1b2c3d4e5f"])
    assert writer.append(entry(1)) == "no"
    (small_tmpfs / "other").unlink()
    assert writer.append(entry(2)) == "os"
    writer.close()


def test_a_segment_that_cannot_be_mapped_is_given_up(
    house: House, entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = house.log()

    def no_window(_: object) -> NoReturn:
        raise OSError("no memory")

    monkeypatch.setattr(SegmentFile, "window", no_window)
    assert writer.append(entry(1)) == "no"
    monkeypatch.undo()
    assert writer.append(entry(2)) == "os"
    assert (len(house.sealed()), house.ids(), house.damages()) == (2, ["r-000002"], [])


def test_a_broken_disk_costs_the_seal_and_no_record(
    house: House, entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = house.log()
    writer.append(entry(1))

    def broken(*_: object) -> NoReturn:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(segment_file.os, "pwrite", broken)
    writer.close()
    monkeypatch.undo()
    assert house.ids() == ["r-000001"]
    assert house.segments()[0].stat().st_size == MIB


def test_leftovers_of_a_writer_that_died_at_birth_are_removed(house: House, entry: Entry) -> None:
    house.write(entry(1))
    for name, age_s in (("00", 120), ("01", 0)):
        left = house.folder / f"flights-0a1b2c3d4e5f-0-{name}.new"
        left.touch()
        os.utime(left, (time.time() - age_s,) * 2)
    house.record()
    assert [path.name for path in house.segments()] == ["flights-0a1b2c3d4e5f-0-01.new"]  # may be on its way
