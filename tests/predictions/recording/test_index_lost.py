"""The index of request ids is behind, ahead, gone or cannot be written: rows are there once all the same."""

from __future__ import annotations

import shutil

import pytest
from tests.predictions.house import Entry, House

from gyroscope.predictions.ids.index import MANIFEST, IdIndex, ids_path
from gyroscope.predictions.segments.log import segment_folder


def test_an_index_that_cannot_be_written_loses_nothing(house: House, entry: Entry) -> None:
    """Its disk takes nothing just after the table's commit: said, tried again, nothing twice."""
    house.write(entry(1))
    recorder = house.recorder(commit_every_s=0)
    recorder.run_once()
    in_the_way = ids_path(house.home, "flights") / f"{MANIFEST}.new"
    in_the_way.mkdir()
    house.write(*[entry(number) for number in range(2, 2_000)])
    assert recorder.run_once() == 0
    assert "index of request ids cannot be" in recorder.failures["flights"]
    in_the_way.rmdir()
    recorder.run_once()
    assert recorder.failures == {}
    assert len(house.rows("row")) == 1_999
    assert house.segments() == []


@pytest.mark.parametrize("lose", ["all", "a run", "behind", "ahead"])
def test_the_index_is_made_again_from_the_table(house: House, entry: Entry, lose: str) -> None:
    """The folder or a run is gone, is an old copy, or belongs to a table that is not there any more."""
    path = ids_path(house.home, "flights")
    house.write(entry(1, arrival=10))
    house.record()
    old = house.home / "old"
    shutil.copytree(path, old)
    house.write(entry(2, arrival=20))
    house.record()
    if lose == "all":
        shutil.rmtree(path)
    elif lose == "a run":
        min(path.glob("*.run")).unlink()
    elif lose == "behind":
        shutil.rmtree(path)
        old.rename(path)
    else:
        index = IdIndex(path)
        index.take_in(("another", 99), [], [])
        index.close()
    for number in (1, 2):
        house.write(entry(number, arrival=30))
    house.record()
    assert [row for row in house.rows() if row[2]] == [("r-000001", 2, True, False), ("r-000002", 2, True, False)]
    assert len(house.rows()) == 4


def test_the_index_is_made_again_though_no_segment_waits(house: House, entry: Entry) -> None:
    writer = house.log()
    writer.append(entry(1))
    writer.close()
    assert house.record() == 1
    for left in (ids_path(house.home, "flights"), segment_folder(house.runtime, "flights")):
        shutil.rmtree(left)
    assert house.record() == 0
    assert IdIndex(ids_path(house.home, "flights")).places(["r-000001"])["r-000001"].rows == 1
