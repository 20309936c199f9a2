"""What a power cut can do to the end of a table is undone from the segments; nothing else is touched."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from deltalake import DeltaTable
from tests.predictions.house import Entry, House

from gyroscope.predictions.tables import commits
from gyroscope.predictions.tables.commits import FORMAT, OFFSETS
from gyroscope.predictions.tables.durable import PAGES, checkpoints, marker_path, page_path, synced_version
from gyroscope.predictions.tables.table import table_path


@pytest.fixture
def cut(house: House, entry: Entry, tmp_path: Path) -> House:
    """A house in which a segment was committed, but the power went before anything of it was on the disk."""
    house.write(*[entry(number) for number in range(5)])
    house.record()
    house.write(*[entry(number) for number in range(5, 9)])
    segment = house.segments()[0]
    shutil.copy(segment, tmp_path / segment.name)
    marker = marker_path(table_path(house.home, "flights"))
    before = marker.read_text()
    house.record()
    marker.write_text(before)
    shutil.copy(tmp_path / segment.name, segment)
    return house


def test_commits_are_marked_as_synced_and_carry_their_format(house: House, entry: Entry) -> None:
    house.write(entry(1))
    house.record()
    path = table_path(house.home, "flights")
    assert synced_version(path) == 0
    newest = DeltaTable(str(path)).history(1)[0]
    assert (newest[FORMAT], json.loads(newest[OFFSETS]).keys() != set()) == ("2", True)


@pytest.mark.parametrize("torn", ["empty page", "half a page", "zeros", "short file", "no file", "file of zeros"])
def test_a_torn_commit_is_made_again(cut: House, torn: str) -> None:
    path = table_path(cut.home, "flights")
    page = page_path(path, 1)
    data = next(path / line["add"]["path"] for line in map(json.loads, page.read_text().splitlines()) if "add" in line)
    whole = page.read_bytes()
    if torn == "no file":
        data.unlink()
    elif torn == "short file":
        data.write_bytes(data.read_bytes()[:-9])
    elif torn == "file of zeros":
        data.write_bytes(bytes(data.stat().st_size))
    else:
        page.write_bytes({"empty page": b"", "half a page": whole[:-40], "zeros": bytes(len(whole))}[torn])
    assert cut.record() == 4
    assert [row[0] for row in cut.rows()] == [f"r-{number:06d}" for number in range(9)]
    assert cut.segments() == []


def test_a_commit_that_is_whole_is_kept(cut: House) -> None:
    assert cut.record() == 0
    assert len(cut.rows()) == 9
    assert cut.segments() == []


def test_files_that_were_merged_away_since_are_not_missed(cut: House) -> None:
    path = table_path(cut.home, "flights")
    DeltaTable(str(path)).optimize.compact()
    DeltaTable(str(path)).vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
    marker_path(path).write_text("-1")
    assert cut.record() == 0
    assert len(cut.rows()) == 9


@pytest.mark.parametrize("spoil", ["pointer", "checkpoint", "nothing"])
def test_a_torn_checkpoint_is_forgotten(
    house: House, entry: Entry, monkeypatch: pytest.MonkeyPatch, spoil: str
) -> None:
    monkeypatch.setattr(commits, "CHECKPOINT_EVERY", 3)
    for number in range(5):
        house.write(entry(number))
        house.record()
    path = table_path(house.home, "flights")
    (name,) = checkpoints(path, 3)
    pointer = path / PAGES / "_last_checkpoint"
    assert json.loads(pointer.read_text())["version"] == 3
    if spoil == "pointer":
        pointer.write_bytes(b"")
    elif spoil == "checkpoint":
        (path / PAGES / name).write_bytes(bytes(100))
    house.write(entry(5))
    assert house.record() == 1
    assert len(house.rows()) == 6
    assert pointer.exists() is (spoil == "nothing")
