"""Every kind of damage is found and named; a house that is well is said to be well, also while it is written to."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from deltalake import DeltaTable

from gyroscope.assembly.verifying import Verified, verify_home
from gyroscope.errors import ModelError
from gyroscope.predictions.ids.index import IdIndex, ids_path
from gyroscope.predictions.segments.wal import SEGMENT_HEAD


def look(lived) -> Verified:
    return verify_home(lived.home, lived.house.runtime)


def whats(lived) -> list[tuple[str, str]]:
    return [(fault.part, fault.what) for fault in look(lived).faults]


def a_file(lived) -> Path:
    return next(iter(sorted((lived.home / "tables" / "flights").rglob("day=*/*.parquet"))))


def test_a_house_that_is_well_is_said_to_be(lived):
    lived.fill()
    steps: list[tuple[int, int]] = []
    found = verify_home(lived.home, lived.house.runtime, (), lambda done, of, _: steps.append((done, of)))
    assert found.is_well and found.faults == () and found.damage == ()
    assert (found.segments, found.records, found.rows) == (1, 10, 50)
    assert steps[-1][0] == steps[-1][1]
    assert lived.record() == 10, "nothing was changed"


def test_an_empty_home_is_well(lived):
    assert look(lived).is_well


def test_an_unknown_model_is_said(lived):
    lived.fill()
    with pytest.raises(ModelError, match="no model is called"):
        verify_home(lived.home, lived.house.runtime, ("flihgts",))


def test_a_flipped_byte_of_a_segment_is_named_by_its_offset(lived):
    lived.fill().close()
    segment = next((lived.house.segments / "flights").glob("*.seg"))
    data = bytearray(segment.read_bytes())
    data[SEGMENT_HEAD.size + 120] ^= 1
    segment.write_bytes(data)
    found = look(lived)
    assert [(fault.part, fault.offset, fault.where) for fault in found.faults] == [
        ("segment", SEGMENT_HEAD.size, str(segment))
    ]
    assert found.records == 9


def test_a_segment_that_is_shorter_than_the_table_says(lived):
    live = lived.fill()
    assert lived.record() == 10
    segment = next((lived.house.segments / "flights").glob("*.seg"))
    live.close()
    segment.write_bytes(segment.read_bytes()[: SEGMENT_HEAD.size])
    assert any(what.startswith("the table has read") for part, what in whats(lived) if part == "segment")


def _with_another_name(data: bytes) -> bytes:
    """A byte inside a value: the file decodes as before."""
    return data.replace(b"parquet-rs", b"parquet-rz")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda path: path.unlink(), "cannot be read"),
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), "bytes, the log says"),
        (lambda path: path.write_bytes(b"x" * path.stat().st_size), "cannot be decoded"),
        (lambda path: path.write_bytes(_with_another_name(path.read_bytes())), "not those that were written"),
    ],
)
def test_a_file_of_the_table_that_is_not_what_was_written(lived, change, said):
    lived.fill()
    change(a_file(lived))
    found = look(lived)
    assert [fault.part for fault in found.faults] == ["table"]
    assert said in found.faults[0].what and "/day=" in found.faults[0].where


def test_a_table_that_cannot_be_opened(lived):
    lived.fill()
    page = next((lived.home / "tables" / "flights" / "_delta_log").glob("*.json"))
    page.write_bytes(b"{")
    assert [fault.part for fault in look(lived).faults] == ["table"]


def test_a_table_without_offsets(lived):
    lived.fill()
    log = lived.home / "tables" / "flights" / "_delta_log"
    for page in log.glob("*.json"):
        page.write_bytes(page.read_bytes().replace(b"gyroscope.offsets", b"gyroscope.offsers"))
    assert ("table", "no commit says how far the segments were read") in whats(lived)
    for page in log.glob("*.json"):
        page.write_bytes(page.read_bytes().replace(b'"gyroscope.offsers":"{', b'"gyroscope.offsets":"['))
    assert any("offsets cannot be read" in what for _, what in whats(lived))


def test_an_index_that_lacks_what_the_table_has(lived):
    lived.fill()
    table = DeltaTable(str(lived.home / "tables" / "flights"))
    with closing(IdIndex(ids_path(lived.home, "flights"))) as index:
        index.forget()
        index.take_in((str(table.metadata().id), table.version()), [], [])
    assert whats(lived) == [("index", "50 answered requests are not in it")]


def test_an_index_that_is_behind_or_missing_is_no_fault(lived):
    lived.fill()
    with closing(IdIndex(ids_path(lived.home, "flights"))) as index:
        index.forget()
    assert look(lived).is_well


def test_labels_that_do_not_balance(lived):
    lived.fill()
    lived.house.labels.close()
    with closing(sqlite3.connect(lived.home / "labels.db")) as db:
        db.execute("DELETE FROM kept WHERE arrival = (SELECT min(arrival) FROM kept)")
        db.commit()
    assert len(whats(lived)) == 1 and whats(lived)[0][0] == "labels"


def test_labels_that_cannot_be_read(lived):
    lived.fill()
    lived.house.labels.close()
    for path in lived.home.glob("labels.db*"):
        path.unlink()
    (lived.home / "labels.db").write_bytes(b"no database")
    assert [part for part, _ in whats(lived)] == ["labels"]


def test_a_swapped_artifact(lived):
    lived.fill()
    (lived.house.models.artifact_path(lived.version) / "tiny.py").write_text("class Model:\n    evil = 1\n")
    assert [part for part, _ in whats(lived)] == ["model"]


def test_a_damaged_record_of_a_version(lived):
    lived.fill()
    (lived.home / "models" / "flights" / lived.version.version / "version.json").write_text("{")
    assert [part for part, _ in whats(lived)] == ["model"]


def test_damage_that_the_recorder_met_is_listed_and_is_no_new_fault(lived):
    lived.fill().close()
    segment = next((lived.house.segments / "flights").glob("*.seg"))
    data = bytearray(segment.read_bytes())
    data[SEGMENT_HEAD.size + 120] ^= 1
    segment.write_bytes(data)
    assert lived.record() == 9
    found = look(lived)
    assert found.is_well
    assert [(fault.where, fault.offset) for fault in found.damage] == [(segment.name, SEGMENT_HEAD.size)]
