"""The index of request ids: what it was told last is what it knows, whoever reads it meanwhile."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gyroscope.errors import StoreError
from gyroscope.predictions.ids import index as room
from gyroscope.predictions.ids.entries import Asked
from gyroscope.predictions.ids.index import IdIndex, Place, day_number
from gyroscope.predictions.ids.keys import id_keys
from gyroscope.predictions.ids.runs import Torn
from gyroscope.predictions.recording.attempts import Attempt


def attempt(name: str, number: int = 1, *, rows: int = 1, at: int = 0, answered: bool = True) -> Attempt:
    return Attempt(name, number, "2013-03-01", 7, at, rows, answered)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[IdIndex]:
    made = IdIndex(tmp_path / "m")
    yield made
    made.close()


def everything(index: IdIndex) -> list[tuple[int, int]]:
    """All keys that `since` tells of, page by page."""
    found, token = [], 0
    while True:
        keys, token = index.since(token, 100)
        if not len(keys):
            return found
        found += [tuple(key) for key in keys.tolist()]


def test_it_answers_as_a_dictionary_would(index: IdIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of changes in hundreds of commits, merged in small steps, against the plainest model of it."""
    monkeypatch.setattr(room, "SMALLEST", 16)
    monkeypatch.setattr("gyroscope.predictions.ids.runs.STEP", 50)
    random_ = random.Random(3)
    known: dict[tuple[str, int], Attempt] = {}
    for turn in range(150):
        batch = {}
        for _ in range(random_.randint(1, 30)):
            name, number = f"r{random_.randint(0, 700)}", random_.randint(1, 3)
            rows, answered = random_.randint(0, 2), random_.random() < 0.7
            made = Attempt(name, number, f"2013-03-{1 + turn % 28:02d}", turn, number, rows, answered, bool(turn % 2))
            batch[name, number] = made
        index.take_in(("t", turn), list(batch.values()), [])
        known |= batch
    names = [f"r{number}" for number in range(800)]
    found = index.attempts(names)
    assert {(one.request_id, one.attempt): one for some in found.values() for one in some} == known
    latest = {
        name: max(
            (one for one in known.values() if one.request_id == name and one.answered and one.rows),
            key=lambda one: (one.arrived_at, one.attempt),
            default=None,
        )
        for name in names
    }
    wanted = {name: Place(name, one.day, one.rows) for name, one in latest.items() if one}
    assert index.places(names) == wanted
    seen = index.seen(Asked(id_keys(names)))
    assert {name for name, is_seen in zip(names, seen, strict=True) if is_seen} == {name for name, _ in known}
    assert set(everything(index)) == {tuple(key) for key in id_keys(sorted({name for name, _ in known})).tolist()}
    assert len(list(index._path.glob("*.run"))) == len(index._runs) < 40


def test_find_is_in_the_order_of_the_question(index: IdIndex) -> None:
    index.take_in(("t", 0), [attempt("a", rows=2), attempt("b", rows=0), attempt("c", answered=False)], [])
    found = index.find(id_keys(["c", "a", "nobody", "b", "a"]))
    assert found.is_found.tolist() == [False, True, False, False, True]
    assert found.rows.tolist() == [0, 2, 0, 0, 2]
    assert found.day.tolist() == [0, day_number("2013-03-01"), 0, 0, day_number("2013-03-01")]


def test_since_tells_what_is_new_or_changed(index: IdIndex) -> None:
    index.take_in(("t", 0), [attempt(f"r{number}") for number in range(50)], [])
    keys, token = index.since(0)
    assert len(keys) == 50
    assert index.since(token)[0].shape == (0, 2)
    index.take_in(("t", 1), [attempt("r7", answered=False), attempt("new")], [])
    keys, later = index.since(token)
    assert {tuple(key) for key in keys.tolist()} == {tuple(key) for key in id_keys(["r7", "new"]).tolist()}
    for version in range(2, 30):
        index.take_in(("t", version), [attempt(f"more{version}")], [])
    assert len(everything(index)) >= 50 + 1 + 28
    keys, _ = index.since(later)
    assert len(keys) >= 1
    assert {tuple(id_keys([f"more{version}"])[0].tolist()) for version in range(2, 30)} <= set(everything(index))


def test_a_reader_keeps_what_it_opened_and_sees_more_when_it_asks(index: IdIndex, tmp_path: Path) -> None:
    index.take_in(("t", 0), [attempt("first")], [])
    reader = IdIndex.reading(tmp_path / "m")
    for version in range(1, 40):  # runs are merged away under the reader
        index.take_in(("t", version), [attempt(f"r{version}")], [])
    assert reader.places(["first", "r39"]).keys() == {"first"}
    reader.refresh()
    assert reader.places(["first", "r39"]).keys() == {"first", "r39"}
    assert reader.epoch == index.epoch
    index.forget()
    reader.refresh()
    assert (reader.places(["first"]), reader.epoch == index.epoch) == ({}, True)
    with pytest.raises(StoreError, match="does not write"):
        reader.take_in(("t", 99), [], [])
    assert IdIndex.reading(tmp_path / "none") is None


WRITER = """
import sys
from pathlib import Path
from gyroscope.predictions.ids import index as ids
from gyroscope.predictions.recording.attempts import Attempt
ids.SMALLEST = 8
index = ids.IdIndex(Path(sys.argv[1]))
for turn in range(400):
    index.take_in(("t", turn), [Attempt(f"r{turn}", 1, "2013-03-01", 7, 0, 1)], [])
"""


def test_a_reader_beside_a_busy_writer_never_misses_what_was_there(tmp_path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path / "m")])
    reached, looks = 0, 0
    names = [f"r{turn}" for turn in range(400)]
    while writer.poll() is None:
        reader = IdIndex.reading(tmp_path / "m")
        if reader is None:
            continue
        found = len(reader.places(names))
        assert found >= reached
        reached, looks = found, looks + 1
        reader.close()
    assert writer.returncode == 0
    assert looks > 20
    assert len(IdIndex.reading(tmp_path / "m").places(names)) == 400


@pytest.mark.parametrize("spoil", ["cut", "gone", "manifest"])
def test_a_damaged_index_is_empty_and_says_that_it_reflects_nothing(tmp_path: Path, spoil: str) -> None:
    index = IdIndex(tmp_path / "m")
    index.take_in(("t", 5), [attempt("a")], [attempt("old")])
    epoch = index.epoch
    index.close()
    run = next((tmp_path / "m").glob("*.run"))
    if spoil == "cut":
        run.write_bytes(run.read_bytes()[:-1])
    elif spoil == "gone":
        run.unlink()
    else:
        (tmp_path / "m" / "manifest.json").write_text("{")
    again = IdIndex(tmp_path / "m")
    assert (again.reflects, again.places(["a"]), again.owed()) == (("", -1), {}, [])
    assert again.epoch != epoch


def test_a_flipped_byte_is_found_before_it_is_copied(index: IdIndex, tmp_path: Path) -> None:
    index.take_in(("t", 0), [attempt(f"r{number}") for number in range(100)], [])
    run = index._runs[0].path
    data = bytearray(run.read_bytes())
    data[-7] ^= 1
    run.write_bytes(bytes(data))
    with pytest.raises(StoreError, match="made again"):
        for version in range(1, 20):
            index.take_in(("t", version), [attempt(f"more{version}")], [])
    assert index.reflects == ("", -1)


def test_what_is_owed_is_kept_until_it_is_given(index: IdIndex) -> None:
    index.take_in(("t", 0), [attempt("a")], [])
    owed = attempt("a", answered=False)
    index.take_in(("t", 1), [attempt("a", 2)], [owed])
    assert index.owed() == [owed]
    index.take_in(("t", 2), [owed], [])
    assert index.owed() == []
    assert not index.places(["b"])


def test_half_written_runs_are_swept(tmp_path: Path) -> None:
    IdIndex(tmp_path / "m").close()
    stray = tmp_path / "m" / "0000-1-1.run"
    stray.write_bytes(b"half")
    IdIndex(tmp_path / "m").close()
    assert not stray.exists()


def test_ids_with_equal_halves_are_told_apart(tmp_path: Path) -> None:
    """No two texts with one high half are known: so the keys are given as such."""
    index = IdIndex(tmp_path / "m")
    high = np.array([5, 5, 9], dtype=np.uint64)
    entries = np.zeros(3, room.ENTRY)
    entries["low"], entries["rows"], entries["state"] = [1, 2, 1], [3, 4, 5], [5, 5, 5]
    index.take_in_entries(("t", 0), high, entries)
    keys = np.array([[5, 2], [5, 1], [9, 2], [9, 1]], dtype=np.uint64)
    assert index.find(keys).rows.tolist() == [4, 3, 0, 5]


def test_a_reader_says_when_the_index_was_taken_away(index: IdIndex, tmp_path: Path) -> None:
    reader = IdIndex.reading(tmp_path / "m")
    (tmp_path / "m" / "manifest.json").unlink()
    with pytest.raises(Torn):
        reader.refresh()


def test_damage_of_the_first_format_is_kept_and_its_file_goes(tmp_path: Path) -> None:
    spine = tmp_path / "m.db"
    with contextlib.closing(sqlite3.connect(spine)) as old, old:
        old.execute("CREATE TABLE damage(segment TEXT, offset INTEGER, length INTEGER, reason TEXT, data BLOB)")
        old.execute("INSERT INTO damage VALUES('s.seg', 64, 8, 'checksum', x'00')")
    index = IdIndex(tmp_path / "m")
    assert index.damage() == [("s.seg", 64, 8, "checksum")]
    assert (index.reflects, spine.exists()) == (("", -1), False)
    index.close()
