"""The store of signals on real SQLite files."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from gyroscope.clock import DAY_US, SECOND_US, EventTime
from gyroscope.errors import StoreError
from gyroscope.records import NotEnoughData, Signal
from gyroscope.signals import Signals

ALWAYS = (EventTime(-(2**62)), EventTime(2**62))


def point(at: int, value: float | NotEnoughData, name: str = "drift", **labels: str) -> Signal:
    return Signal(name, EventTime(at), value, tuple(sorted(labels.items())), n=7)


def test_a_point_comes_back_as_it_was_put(tmp_path: Path) -> None:
    store = Signals(tmp_path / "state.db")
    known = Signal("performance", EventTime(5), 0.25, (("metric", "brier"), ("model", "m")), 0.2, 0.3, 900)
    unknown = Signal("performance", EventTime(6), NotEnoughData("no label"), known.labels)
    store.put([unknown, known])
    assert store.query("performance", None, *ALWAYS) == [known, unknown]
    assert store.names() == ["performance"]


def test_putting_again_restates_instead_of_adding(tmp_path: Path) -> None:
    store = Signals(tmp_path / "state.db")
    store.put([point(1, 0.1, column="a"), point(1, 0.2, column="b")])
    store.put([point(1, NotEnoughData("gone"), column="a")])
    assert [p.value for p in store.query("drift", None, *ALWAYS)] == [NotEnoughData("gone"), 0.2]


@pytest.mark.parametrize("points", [1, 31, 32, 33, 100])
def test_however_many_points_come_at_once_all_are_there(tmp_path: Path, points: int) -> None:
    store = Signals(tmp_path / "state.db")
    store.put([point(at, 0.1) for at in range(points)])
    store.put([*(point(at, 0.2) for at in range(points)), *(point(at, at / 4) for at in range(points))])
    assert store.query("drift", None, *ALWAYS) == [point(at, at / 4) for at in range(points)]


def test_one_number_that_is_not_finite_keeps_all_points_out(tmp_path: Path) -> None:
    store = Signals(tmp_path / "state.db")
    wrong = Signal("drift", EventTime(2), 0.5, (), 0.4, float("inf"))
    with pytest.raises(StoreError, match="finite"):
        store.put([point(1, 0.5), wrong])
    assert store.query("drift", None, *ALWAYS) == []


def test_a_reading_that_no_longer_holds_is_taken_away(tmp_path: Path) -> None:
    store = Signals(tmp_path / "state.db")
    old, other = point(1, 0.4, "reading", column="a"), point(2, 0.4, "reading", column="a")
    store.put([old, other])
    store.put([point(1, 0.3, "reading", column="b")], instead_of=[old])
    assert store.query("reading", None, *ALWAYS) == [point(1, 0.3, "reading", column="b"), other]


def test_a_query_is_half_open_and_takes_any_subset_of_labels(tmp_path: Path) -> None:
    store = Signals(tmp_path / "state.db")
    store.put([point(at, at, model=model, column="a") for at in range(4) for model in ("m", "n")])
    found = store.query("drift", {"model": "n"}, EventTime(1), EventTime(3))
    assert [(p.at, dict(p.labels)["model"]) for p in found] == [(1, "n"), (2, "n")]
    assert store.query("drift", {"model": "other"}, *ALWAYS) == []


def test_labels_in_any_order_are_one_series(tmp_path: Path) -> None:
    store = Signals(tmp_path / "state.db")
    store.put([Signal("x", EventTime(1), 1.0, (("b", "2"), ("a", "1")))])
    store.put([Signal("x", EventTime(1), 2.0, (("a", "1"), ("b", "2")))])
    assert store.query("x", None, *ALWAYS) == [Signal("x", EventTime(1), 2.0, (("a", "1"), ("b", "2")))]


def test_the_latest_point_and_its_absence(tmp_path: Path) -> None:
    store = Signals(tmp_path / "state.db")
    assert store.latest("drift") == NotEnoughData("nothing has been measured yet as drift{}")
    store.put([point(1, 1.0, column="a"), point(3, 3.0, column="b"), point(2, 2.0, column="a")])
    assert store.latest("drift") == point(3, 3.0, column="b")
    assert store.latest("drift", {"column": "a"}) == point(2, 2.0, column="a")
    assert sorted(p.at for p in store.newest("drift")) == [2, 3]


def test_machine_time_is_kept_two_days_and_event_time_for_good(tmp_path: Path) -> None:
    store = Signals(tmp_path / "state.db")
    old, new = 0, 2 * DAY_US + SECOND_US
    for name in ("latency_p99_s", "drift"):
        store.put([point(old, 1.0, name), point(new, 2.0, name)])
    assert [p.at for p in store.query("latency_p99_s", None, *ALWAYS)] == [new]
    assert [p.at for p in store.query("drift", None, *ALWAYS)] == [old, new]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_a_number_is_refused_and_nothing_is_written(tmp_path: Path, bad: float) -> None:
    store = Signals(tmp_path / "state.db")
    with pytest.raises(StoreError, match="finite number"):
        store.put([point(1, 0.5), point(2, bad)])
    assert store.names() == []


def test_two_holders_of_one_file_see_each_other(tmp_path: Path) -> None:
    db = tmp_path / "state.db"
    writer, reader = Signals(db), Signals(db)
    writer.put([point(1, 1.0)])
    reader.put([point(2, 2.0)])
    assert [p.at for p in writer.query("drift", None, *ALWAYS)] == [1, 2]


def test_threads_share_one_store(tmp_path: Path) -> None:
    store = Signals(tmp_path / "state.db")

    def write(thread: int) -> None:
        for at in range(50):
            store.put([point(at, at, thread=str(thread))])

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.query("drift", None, *ALWAYS)) == 200


def test_a_failed_put_leaves_nothing_and_the_next_one_works(tmp_path: Path) -> None:
    db = tmp_path / "state.db"
    store = Signals(db)
    with sqlite3.connect(db) as other:
        other.execute("CREATE TRIGGER full BEFORE INSERT ON signal_points BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    with pytest.raises(StoreError, match="disk full"):
        store.put([point(1, 1.0, column="a")])
    with sqlite3.connect(db) as other:
        other.execute("DROP TRIGGER full")
    other.close()
    store.put([point(1, 1.0, column="a")])
    assert store.query("drift", {"column": "a"}, *ALWAYS) == [point(1, 1.0, column="a")]


def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    db = tmp_path / "state.db"
    db.write_bytes(b"not a database, by a long way" * 100)
    with pytest.raises(StoreError, match=r"state\.db"):
        Signals(db)
