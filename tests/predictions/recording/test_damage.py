"""Damaged, foreign and missing records cost themselves, and are written down once."""

from __future__ import annotations

import shutil

import msgspec
import pytest
from tests.predictions.house import Entry, House

from gyroscope.predictions.ids.index import IdIndex, ids_path
from gyroscope.predictions.segments.wal import SEAL, SEGMENT_HEAD, seal
from gyroscope.records import Feature, Signature


def test_damage_costs_one_record_and_is_written_down_once(house: House, entry: Entry) -> None:
    house.write(*[entry(number) for number in range(4)])
    segment = house.segments()[0]
    data = bytearray(segment.read_bytes())
    size = (len(data) - SEGMENT_HEAD.size - SEAL.size) // 4
    ends = [SEGMENT_HEAD.size + size * number for number in range(5)]
    data[ends[2] + 100] ^= 1
    segment.write_bytes(bytes(data[: ends[4] - 3]))
    assert house.record() == 2
    assert [row[0] for row in house.rows("request_id")] == ["r-000000", "r-000001"]
    damage = IdIndex(ids_path(house.home, "flights")).damage()
    assert damage == [(segment.name, ends[2], size, "checksum"), (segment.name, ends[3], size - 3, "torn tail")]
    assert house.segments() == []


def test_a_renamed_segment_gives_no_rows(house: House, entry: Entry) -> None:
    house.write(entry(1))
    house.segments()[0].rename(house.folder / "flights-0a1b2c3d4e5f-0-0000000000000001.seg")
    assert house.record() == 0
    reasons = [row[3] for row in IdIndex(ids_path(house.home, "flights")).damage()]
    assert reasons == ["head", "torn tail"]


def test_a_record_of_another_schema_is_damage(house: House, entry: Entry) -> None:
    house.write(entry(1))
    version = house.versions["0a1b2c3d4e5f"]
    features = (*version.signature.features, Feature("more"))
    house.versions["0a1b2c3d4e5f"] = msgspec.structs.replace(version, signature=Signature("binary", features))
    assert house.record() == 0
    assert [row[3] for row in IdIndex(ids_path(house.home, "flights")).damage()] == ["schema"]


def test_a_segment_of_a_version_that_is_gone_is_set_aside(house: House, entry: Entry) -> None:
    """Nobody can read it and nobody waits for it; moved back when the version is there again, it is recorded."""
    gone = msgspec.structs.replace(house.versions["0a1b2c3d4e5f"], version="ffffffffffff")
    house.write(entry(1), version=gone)
    house.write(entry(2))
    segment = next(path for path in house.segments() if "ffffffffffff" in path.name)
    bytes_before = segment.read_bytes()

    recorder = house.recorder(commit_every_s=0)
    assert recorder.run_once() == 1
    assert (recorder.failures, house.segments()) == ({}, [])
    kept = house.home / "damage" / "flights" / segment.name
    assert kept.read_bytes() == bytes_before
    damage = recorder._drains["flights"]._ids.damage()
    assert damage == [(segment.name, 0, len(bytes_before), "unknown version")]
    house.versions["ffffffffffff"] = gone
    shutil.move(kept, house.folder / segment.name)
    assert recorder.run_once() == 1
    assert sorted(row[0] for row in house.rows()) == ["r-000001", "r-000002"]


def test_a_new_recorder_goes_on_counting_records(house: House, entry: Entry) -> None:
    """It reads on in the middle of a segment and still notices that a record is missing there."""
    writer = house.log()
    for number in range(3):
        writer.append(entry(number))
    house.record()
    for number in range(3, 6):
        writer.append(entry(number))
    writer.close()
    segment = house.segments()[0]
    data = segment.read_bytes()
    size = (len(data) - SEGMENT_HEAD.size - SEAL.size) // 6
    begin = SEGMENT_HEAD.size + 3 * size
    segment.write_bytes(data[:begin] + data[begin + size :])
    assert house.record() == 2
    assert [row[1:] for row in IdIndex(ids_path(house.home, "flights")).damage()] == [(begin, 0, "missing records")]


@pytest.mark.parametrize("lose", ["nothing", "all", "the last record"])
def test_a_segment_that_is_gone_is_missed_by_the_next(
    house: House, entry: Entry, monkeypatch: pytest.MonkeyPatch, lose: str
) -> None:
    monkeypatch.setattr("gyroscope.predictions.segments.log.SEGMENT_BYTES", 1)
    writer = house.log()
    for number in range(4):
        writer.append(entry(number, rows=3_000))
    house.record()
    assert len(house.segments()) == 1
    assert IdIndex(ids_path(house.home, "flights")).damage() == []
    writer.append(entry(4, rows=3_000))
    writer.append(entry(5, rows=3_000))
    writer.close()
    fifth = house.segments()[-2]
    if lose == "all":
        fifth.unlink()
    elif lose == "the last record":
        data = fifth.read_bytes()
        number = int(fifth.stem.rpartition("-")[2], 16)
        fifth.write_bytes(data[: SEGMENT_HEAD.size] + seal(number, 0))
    house.record()
    said = [
        reason.partition(" ")[2].partition(" ")[2] for *_, reason in IdIndex(ids_path(house.home, "flights")).damage()
    ]
    assert said == {"nothing": [], "all": ["is missing"], "the last record": ["had 0 of 1 records"]}[lose]
