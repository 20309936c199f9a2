"""Every label in exactly one state, the latest statement joined, and the days to restate."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from tests.predictions.house import Entry, House

from gyroscope.clock import DAY_US, EventTime
from gyroscope.errors import ModelError, StoreError
from gyroscope.predictions.ids.index import ids_path
from gyroscope.predictions.labels.columns import LabelColumns
from gyroscope.predictions.labels.labels import Labels
from gyroscope.records import Label, Signature

NOW = EventTime(1_700_000_000_000_000)
CLASSES = Signature("multiclass", (), classes=("red", "green", "7"))
NONE = {"joined": 0, "pending": 0, "quarantined": 0, "duplicate": 0, "superseded": 0, "refused": 0}


@pytest.fixture
def labels(house: House) -> Labels:
    return Labels(house.home, lambda _: house.versions["0a1b2c3d4e5f"].signature)


@pytest.fixture
def predicted(house: House, entry: Entry) -> House:
    """Requests 0 to 47 of two days; number 3 has two rows, number 4 failed."""
    entries = [entry(number) for number in range(48)]
    entries[3], entries[4] = entry(3, rows=2), entry(4, status=500)
    house.write(*entries)
    house.record()
    return house


def label(number: int, value: float | str = 1.0, row: int = 0, **more: int) -> Label:
    return Label(f"r-{number:06d}", value, row, **more)  # type: ignore[arg-type]


def values(labels: Labels, day: str = "2013-03-01") -> dict[tuple[str, int], float]:
    request_ids, rows, found = labels.of_day("flights", day)
    return {
        (request_id, int(row)): float(value) for request_id, row, value in zip(request_ids, rows, found, strict=True)
    }


def test_a_label_joins_its_prediction_at_once(predicted: House, labels: Labels) -> None:
    report = labels.add("flights", [label(1), label(3, 0.0, row=1), label(30)], NOW)
    assert (report.received, report.counts, report.refused) == (3, NONE | {"joined": 3}, ())
    assert values(labels) == {("r-000001", 0): 1.0, ("r-000003", 1): 0.0}
    assert values(labels, "2013-03-02") == {("r-000030", 0): 1.0}
    assert labels.settle("flights", NOW) == {"2013-03-01", "2013-03-02"}


def test_an_early_label_joins_when_its_prediction_comes(house: House, entry: Entry, labels: Labels) -> None:
    assert labels.add("flights", [label(1)], NOW).counts == NONE | {"pending": 1}
    assert labels.settle("flights", NOW) == set()
    house.write(entry(1))
    house.record()
    assert labels.settle("flights", NOW) == {"2013-03-01"}
    assert labels.counts("flights") == NONE | {"joined": 1}


def test_what_has_no_prediction_waits_then_is_quarantined_and_still_joins(
    predicted: House, entry: Entry, labels: Labels
) -> None:
    """Not asked, a row too many, and a request that failed."""
    labels.add("flights", [label(999), label(3, row=2), label(4)], NOW)
    late = EventTime(NOW + 30 * DAY_US + 1)
    assert labels.settle("flights", EventTime(late - 1)) == set()
    assert labels.counts("flights") == NONE | {"pending": 3}
    labels.settle("flights", late)
    assert labels.counts("flights") == NONE | {"quarantined": 3}
    predicted.write(entry(999, at=1362114000000000), entry(4, arrival=1_800_000_000_000_000))
    predicted.record()
    assert labels.settle("flights", late) == {"2013-03-01"}
    assert labels.counts("flights") == NONE | {"quarantined": 1, "joined": 2}


def test_the_same_statement_twice_is_a_duplicate(predicted: House, labels: Labels) -> None:
    first = [label(1, "true"), label(1, 1.0), label(1, "1")]
    assert labels.add("flights", first, NOW).counts == NONE | {"joined": 1, "duplicate": 2}
    labels.settle("flights", NOW)
    labels.restated("flights", {"2013-03-01"})
    assert labels.add("flights", first, NOW).counts == NONE | {"duplicate": 3}
    assert labels.settle("flights", NOW) == set()
    assert sum(labels.counts("flights").values()) == 6


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ({"version": 1}, {"version": 2}),
        ({"labeled_at": 1}, {"labeled_at": 2}),
        ({"labeled_at": 99}, {"version": 1}),
        ({}, {"labeled_at": 1}),
        ({"version": 1, "labeled_at": 99}, {"version": 2, "labeled_at": 1}),
    ],
)
def test_the_later_statement_wins_in_any_order(
    predicted: House, labels: Labels, older: dict[str, int], newer: dict[str, int]
) -> None:
    for number, some in ((1, (older, newer)), (2, (newer, older))):
        for order in some:
            labels.add("flights", [label(number, 1.0 if order is newer else 0.0, **order)], NOW)
    assert set(values(labels).values()) == {1.0}
    assert labels.counts("flights") == NONE | {"joined": 2, "superseded": 2}


def test_without_version_or_time_arrival_decides(predicted: House, labels: Labels) -> None:
    labels.add("flights", [label(1, 1.0), label(1, 0.0)], NOW)
    labels.add("flights", [label(2, 0.0)], NOW)
    labels.add("flights", [label(2, 1.0)], NOW)
    assert values(labels) == {("r-000001", 0): 0.0, ("r-000002", 0): 1.0}


def test_a_correction_names_its_day_again(predicted: House, labels: Labels) -> None:
    labels.add("flights", [label(1, 1.0, version=1), label(30, 1.0)], NOW)
    labels.settle("flights", NOW)
    labels.restated("flights", {"2013-03-01", "2013-03-02"})
    assert labels.settle("flights", NOW) == set()
    labels.add("flights", [label(1, 0.0, version=2)], NOW)
    assert labels.settle("flights", NOW) == {"2013-03-01"}
    assert labels.settle("flights", NOW) == {"2013-03-01"}, "until it is said to be restated"


def test_the_days_that_labels_are_known_of_are_told_apart(predicted: House, labels: Labels) -> None:
    labels.add("flights", [label(0), label(47)], NOW)
    days = ["2013-03-03", "2013-03-02", "2013-03-01"]
    assert labels.days_known("flights", days) == ["2013-03-01", "2013-03-02"]
    assert (labels.days_known("flights", days[:1]), labels.days_known("hotels", days)) == ([], [])


def test_a_day_that_got_a_label_meanwhile_stays_to_be_restated(predicted: House, labels: Labels) -> None:
    labels.add("flights", [label(1)], NOW)
    days = labels.settle("flights", NOW)
    labels.add("flights", [label(2)], NOW)
    labels.restated("flights", days)
    assert labels.settle("flights", NOW) == {"2013-03-01"}


def test_a_label_follows_its_prediction_to_another_day(predicted: House, entry: Entry, labels: Labels) -> None:
    """A retried request without an event time of its own can be answered on the other side of midnight."""
    labels.add("flights", [label(23)], NOW)
    labels.restated("flights", labels.settle("flights", NOW))
    retried = entry(23, at=1362114000000000 + 24 * 3_600_000_000, arrival=1_800_000_000_000_000)
    predicted.write(retried)
    predicted.record()
    assert labels.settle("flights", NOW) == {"2013-03-01", "2013-03-02"}
    assert (values(labels), values(labels, "2013-03-02")) == ({}, {("r-000023", 0): 1.0})


@pytest.mark.parametrize(
    ("signature", "value", "reason"),
    [
        (Signature("binary", ()), 2.0, "not 0, 1, true or false"),
        (Signature("binary", ()), "yes", "not a number"),
        (Signature("binary", ()), float("nan"), "not 0, 1"),
        (Signature("regression", ()), float("inf"), "not a finite number"),
        (Signature("regression", ()), "1e999", "not a finite number"),
        (Signature("ranking", ()), -1.0, "no relevance: 0 for a row of no use"),
        (CLASSES, "blue", "not one of the classes red, green, 7"),
        (CLASSES, float("nan"), "not one of the classes"),
    ],
)
def test_a_wrong_value_is_refused_with_its_row_and_kept(
    tmp_path: Path, signature: Signature, value: float | str, reason: str
) -> None:
    labels = Labels(tmp_path, lambda _: signature)
    fine = "red" if signature is CLASSES else 1.0
    report = labels.add("m", [Label("a", fine), Label("b", value)], NOW)
    assert report.counts == NONE | {"pending": 1, "refused": 1}
    ((position, why),) = report.refused
    assert position == 1
    assert reason in why
    assert labels.counts("m") == report.counts
    ((kept, text, again),) = labels.refused("m")
    assert (kept, again) == (1, why)
    assert '"request_id": "b"' in text


@pytest.mark.parametrize(
    "wrong",
    [
        Label("", 1.0),
        Label("x" * 513, 1.0),
        Label("\ud800", 1.0),
        Label("a", 1.0, row=-1),
        Label("a", 1.0, version=2**70),
    ],
)
def test_what_cannot_name_a_prediction_is_refused(tmp_path: Path, wrong: Label) -> None:
    report = Labels(tmp_path, lambda _: Signature("binary", ())).add("m", [wrong], NOW)
    assert report.counts == NONE | {"refused": 1}


def test_classes_come_back_as_their_index(predicted: House, entry: Entry) -> None:
    labels = Labels(predicted.home, lambda _: CLASSES)
    labels.add("flights", [label(1, "green"), label(2, 7), label(5, "red")], NOW)
    assert values(labels) == {("r-000001", 0): 1.0, ("r-000002", 0): 2.0, ("r-000005", 0): 0.0}


def test_models_do_not_see_each_other(predicted: House, labels: Labels) -> None:
    labels.add("flights", [label(1)], NOW)
    labels.add("trains", [label(1)], NOW)
    assert labels.counts("trains") == NONE | {"pending": 1}
    assert labels.settle("trains", NOW) == set()


def test_an_unknown_model_is_the_callers_error(tmp_path: Path) -> None:
    def unknown(model: str) -> Signature:
        raise ModelError(f"no model is called {model!r}")

    with pytest.raises(ModelError):
        Labels(tmp_path, unknown).add("nope", [label(1)], NOW)


def test_a_damaged_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "labels.db").write_bytes(b"not a database, not at all" * 100)
    with pytest.raises(StoreError, match="cannot be read"):
        Labels(tmp_path, lambda _: Signature("binary", ()))


def test_an_index_made_again_joins_nothing_twice(predicted: House, labels: Labels) -> None:
    labels.add("flights", [label(number) for number in range(20)], NOW)
    labels.restated("flights", labels.settle("flights", NOW))
    shutil.rmtree(ids_path(predicted.home, "flights"))
    predicted.record()
    assert labels.settle("flights", NOW) == set()
    assert labels.counts("flights") == NONE | {"joined": 19, "pending": 1}


def test_several_writers_balance(predicted: House) -> None:
    """Threads with a `Labels` each, as processes would have, send overlapping labels while another settles."""
    signature = predicted.versions["0a1b2c3d4e5f"].signature

    def send(worker: int) -> None:
        mine = Labels(predicted.home, lambda _: signature)
        for start in range(0, 60, 10):
            mine.add("flights", [label(n, float(worker % 2), version=worker) for n in range(start, start + 10)], NOW)
            mine.settle("flights", NOW)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, [1, 2, 3, 3]))
    labels = Labels(predicted.home, lambda _: signature)
    counts = labels.counts("flights")
    assert sum(counts.values()) == 240
    assert counts == NONE | {"joined": 47, "pending": 13, "duplicate": 60, "superseded": 120}
    assert set(values(labels).values()) == {1.0}


def test_threads_share_one_object(predicted: House, labels: Labels) -> None:
    def send(worker: int) -> None:
        for start in range(0, 60, 10):
            labels.add("flights", [label(n, float(worker % 2), version=worker) for n in range(start, start + 10)], NOW)
            labels.settle("flights", NOW)
            assert sum(labels.counts("flights").values()) % 10 == 0

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, [1, 2, 3, 3]))
    assert labels.counts("flights") == NONE | {"joined": 47, "pending": 13, "duplicate": 60, "superseded": 120}


def test_a_call_that_failed_leaves_nothing_and_the_next_one_works(predicted: House, labels: Labels) -> None:
    other = sqlite3.connect(predicted.home / "labels.db")
    other.execute("CREATE TRIGGER full BEFORE INSERT ON kept BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    with pytest.raises(StoreError, match="disk full"):
        labels.add("flights", [label(1)], NOW)
    other.execute("DROP TRIGGER full")
    other.close()
    assert labels.counts("flights") == NONE
    assert labels.add("flights", [label(1), label(2, "bad")], NOW).counts == NONE | {"joined": 1, "refused": 1}


def test_rows_that_were_no_labels_are_counted_and_kept(labels: Labels) -> None:
    labels.add("flights", [label(1), label(2, "bad")], NOW)
    labels.refuse("flights", [(7, '{"colour": 1}', "no field 'colour'"), (9, "\ud800" + "x" * 10_000, "broken")], NOW)
    labels.refuse("flights", [], NOW)
    assert labels.counts("flights") == NONE | {"pending": 1, "refused": 3}
    (ninth, long, _), seventh, _ = labels.refused("flights")
    assert seventh == (7, '{"colour": 1}', "no field 'colour'")
    assert (ninth, long[:9], len(long) < 3_000) == (9, "\\ud800xxx", True)


def test_a_killed_writer_leaves_whole_calls_only(predicted: House) -> None:
    """Killed inside the transaction: nothing of that call is there, and the file is not locked."""
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom gyroscope.predictions.labels import file as label_file\n"
        "from gyroscope.predictions.labels.labels import Labels\nfrom gyroscope.records import Label, Signature\n"
        "made = Labels(Path(sys.argv[1]), lambda _: Signature('binary', ()))\n"
        "made.add('flights', [Label('r-000001', 1.0)], 0)\n"
        "label_file.mark_days = lambda *_: os.kill(os.getpid(), 9)\n"
        "made.add('flights', [Label('r-000002', 1.0)], 0)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(predicted.home)], timeout=60).returncode == -9
    labels = Labels(predicted.home, lambda _: Signature("binary", ()))
    assert labels.counts("flights") == NONE | {"joined": 1}
    assert labels.add("flights", [label(2)], NOW).counts == NONE | {"joined": 1}


def test_an_empty_day_has_empty_arrays(labels: Labels) -> None:
    request_ids, rows, found = labels.of_day("flights", "2013-03-01")
    assert (request_ids.shape, rows.dtype, found.dtype) == ((0,), np.int64, np.float64)


def test_one_by_one_they_are_found_again_however_their_runs_were_merged(labels: Labels) -> None:
    for number in range(150):
        labels.add("flights", [label(number)], NOW)
    assert labels.add("flights", [label(number) for number in range(150)], NOW).counts == NONE | {"duplicate": 150}
    other = sqlite3.connect(labels._database.path)
    assert other.execute("SELECT count(*) FROM runs").fetchone()[0] < 16
    other.close()


def test_rows_that_share_a_hash_are_told_apart(labels: Labels) -> None:
    """From row 65,535 on all rows of a request lie in one place of the index."""
    rows = [65_534, 65_535, 65_536, 2**31 - 1]
    assert labels.add("flights", [label(1, row=row) for row in rows], NOW).counts == NONE | {"pending": 4}
    again = [label(1, row=row) for row in rows] + [label(1, 0.0, row=rows[2])]
    assert labels.add("flights", again, NOW).counts == NONE | {"duplicate": 4, "pending": 1}
    assert labels.counts("flights") == NONE | {"duplicate": 4, "pending": 4, "superseded": 1}


def test_many_labels_in_one_call_are_several_transactions_that_add_up(
    predicted: House, labels: Labels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gyroscope.predictions.labels.labels.A_TRANSACTION", 7)
    batch = [label(number % 40, float(number < 40)) for number in range(100)]
    report = labels.add("flights", [*batch, label(1, "bad")], NOW)
    assert sum(report.counts.values()) == report.received == 101
    assert report.refused[0][0] == 100
    labels.settle("flights", NOW)
    assert labels.counts("flights") == NONE | {
        "joined": 39,
        "pending": 1,
        "superseded": 40,
        "duplicate": 20,
        "refused": 1,
    }


@pytest.mark.parametrize(
    ("signature", "value", "kept"),
    [
        (Signature("regression", ()), 2**53 + 1, float(2**53)),
        (Signature("regression", ()), -0.0, 0.0),
        (Signature("multiclass", (), classes=("9007199254740993", "9007199254740992")), 2**53 + 1, 0.0),
        (Signature("multiclass", (), classes=("1", "2")), "2.0", 1.0),
    ],
)
def test_what_a_number_becomes(predicted: House, signature: Signature, value: float | str, kept: float) -> None:
    labels = Labels(predicted.home, lambda _: signature)
    labels.add("flights", [label(1, value)], NOW)
    assert values(labels) == {("r-000001", 0): kept}


def test_columns_keep_the_numbers_of_their_sender(labels: Labels) -> None:
    columns = LabelColumns(["a", "b", ""], [1.0, "maybe", 0.0], numbers=[11, 12, 13])
    report = labels.add_columns("flights", columns, NOW)
    assert [number for number, _ in report.refused] == [12, 13]
    assert [row[0] for row in labels.refused("flights")] == [13, 12]
