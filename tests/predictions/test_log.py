"""A replica's log: one whole record or none, policies when it is full, a new segment for every life."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from gyroscope.errors import StoreError
from gyroscope.predictions import log
from gyroscope.predictions.log import PredictionLog
from gyroscope.predictions.segments import read_pieces


def ids(folder: Path) -> list[str]:
    return [record.request_id for piece in read_pieces(folder, {}) for record in piece.records]


@pytest.fixture
def small_tmpfs(tmp_path: Path):  # type: ignore[no-untyped-def]
    place = tmp_path / "small"
    place.mkdir()
    if os.getuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a tmpfs needs root and mount")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", place], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"this machine mounts no tmpfs: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", place], check=True)


def test_an_entry_is_in_the_file_when_append_returns(house, entry):  # type: ignore[no-untyped-def]
    writer = house.log()
    assert [writer.append(entry(number)) for number in range(3)] == ["os"] * 3
    assert ids(house.folder) == ["r-000000", "r-000001", "r-000002"]
    assert (writer.logged, writer.failed) == (3, 0)


def test_off_writes_nothing_and_is_no_failure(house, entry):  # type: ignore[no-untyped-def]
    writer = house.log(mode="off")
    assert writer.append(entry(1)) == "no"
    assert (writer.failed, house.segments()) == (0, [])


def test_a_restarted_replica_begins_a_new_segment(house, entry):  # type: ignore[no-untyped-def]
    house.write(entry(1))
    house.write(entry(2))
    assert len(house.segments()) == 2


def test_segments_rotate_and_only_the_current_one_is_live(house, entry):  # type: ignore[no-untyped-def]
    writer = house.log(cap_bytes=4_000)
    for number in range(10):
        assert writer.append(entry(number)) == "os"
    pieces = read_pieces(house.folder, {})
    assert len(pieces) > 1
    assert [piece.done for piece in pieces] == [True] * (len(pieces) - 1) + [False]
    assert [record.request_id for piece in pieces for record in piece.records] == [f"r-{n:06d}" for n in range(10)]
    writer.close()
    assert all(piece.done for piece in read_pieces(house.folder, {}))


def test_at_the_cap_it_serves_unlogged_and_counts(house, entry, monkeypatch):  # type: ignore[no-untyped-def]
    monkeypatch.setattr(log, "LOOK_AGAIN_NS", 0)
    writer = house.log(cap_bytes=2_000)
    said = [writer.append(entry(number)) for number in range(30)]
    assert set(said) == {"os", "no"}
    assert (writer.logged, writer.failed) == (said.count("os"), said.count("no"))
    assert "cap of 2000 bytes" in writer.failure
    assert sum(path.stat().st_size for path in house.segments()) <= 2_000
    assert len(ids(house.folder)) == said.count("os")
    house.record()
    assert writer.append(entry(99)) == "os"


def test_the_cap_holds_over_restarts(house, entry):  # type: ignore[no-untyped-def]
    first = house.log(cap_bytes=2_000)
    while first.append(entry(1)) == "os":
        pass
    first.close()
    assert house.log(cap_bytes=2_000).append(entry(2)) == "no"


def test_fail_closed_raises(house, entry):  # type: ignore[no-untyped-def]
    writer = house.log(cap_bytes=100, on_failure="fail_closed")
    with pytest.raises(StoreError, match="cap of 100 bytes"):
        writer.append(entry(1))
    assert writer.failed == 1


def test_an_entry_that_does_not_fit_follows_the_policy_too(house, entry):  # type: ignore[no-untyped-def]
    wrong = entry(1)
    wrong.matrix = np.zeros((1, 2))
    writer = house.log()
    assert writer.append(wrong) == "no"
    assert "the matrix is (1, 2)" in writer.failure
    assert writer.append(entry(2)) == "os"


def test_a_folder_that_cannot_be_made_is_a_failure_not_a_crash(tmp_path, house, entry):  # type: ignore[no-untyped-def]
    (tmp_path / "file").write_text("in the way")
    version = house.versions["0a1b2c3d4e5f"]
    open_log = PredictionLog(tmp_path / "file", "r-0", version)
    assert open_log.append(entry(1)) == "no"
    with pytest.raises(StoreError, match="cannot be written down"):
        PredictionLog(tmp_path / "file", "r-0", version, on_failure="fail_closed").append(entry(1))


@pytest.mark.parametrize("can_truncate", [True, False])
def test_a_short_write_leaves_no_half_record_behind(house, entry, monkeypatch, can_truncate):  # type: ignore[no-untyped-def]
    writer = house.log()
    writer.append(entry(1))
    whole = os.write
    monkeypatch.setattr(log.os, "write", lambda fd, data: whole(fd, data[:-7]))
    if not can_truncate:
        monkeypatch.setattr(log.os, "ftruncate", lambda *_: (_ for _ in ()).throw(OSError("no")))
    assert writer.append(entry(2)) == "no"
    monkeypatch.undo()
    assert writer.append(entry(3)) == "os"
    writer.close()
    pieces = read_pieces(house.folder, {})
    assert [record.request_id for piece in pieces for record in piece.records] == ["r-000001", "r-000003"]
    torn = [damage.reason for piece in pieces for damage in piece.damages]
    assert torn == ([] if can_truncate else ["torn tail"])


def test_a_full_tmpfs_is_said_and_survived(small_tmpfs, house, entry):  # type: ignore[no-untyped-def]
    version = house.versions["0a1b2c3d4e5f"]
    writer = PredictionLog(small_tmpfs / "s", "flights-0a1b2c3d4e5f-0", version)
    said = [writer.append(entry(number, rows=20)) for number in range(200)]
    assert "no" in said
    assert said.index("no") > 5
    writer.close()
    pieces = read_pieces(small_tmpfs / "s", {})
    assert [damage for piece in pieces for damage in piece.damages] == []
    assert sum(len(piece.records) for piece in pieces) == said.count("os") == writer.logged
    for path in (small_tmpfs / "s").iterdir():
        path.unlink()
    assert writer.append(entry(1)) == "os"
    writer.close()


def test_leftovers_of_a_writer_that_died_at_birth_are_removed(house, entry):  # type: ignore[no-untyped-def]
    house.write(entry(1))
    (house.folder / "flights-0a1b2c3d4e5f-0-00.new").touch()
    house.record()
    assert [path.suffix for path in house.segments()] == []
