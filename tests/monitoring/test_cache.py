"""The cache as a file: what survives, what is thrown away, what is said when it is damaged."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest

from gyroscope.clock import EventTime
from gyroscope.errors import StoreError
from gyroscope.monitoring.cache import Cache, Entry
from gyroscope.monitoring.fold import Cell, Fold
from gyroscope.records import Window
from gyroscope.stats.profiles import Layout, NumericBins, profile

CELL = Cell("v", EventTime(0), "1970-01-01")
ALL = Window(EventTime(0), EventTime(1))


def fold(*values):
    counted = profile({"x": np.array(values)}, Layout({"x": NumericBins((0.0, 1.0, 2.0))}))
    return Fold(profile=counted, answered=len(values), scored=len(values), newest=len(values))


def test_a_cell_is_the_merge_of_its_files_whatever_comes_and_goes(tmp_path):
    cache = Cache(tmp_path / "monitoring.db")
    for path, values in (("a", (0.5,)), ("b", (1.5, 7.0)), ("c", (0.1,))):
        cache.replace("m", (), [(path, CELL.day, {CELL: fold(*values)})])
    ((whole,),) = cache.cells("m", "v", [ALL])
    assert whole.profile == fold(0.5, 1.5, 7.0, 0.1).profile
    cache.replace("m", ("b",), ())
    ((rest,),) = cache.cells("m", "v", [ALL])
    assert (rest.profile, rest.scored) == (fold(0.5, 0.1).profile, 2)
    cache.replace("m", ("a",), ())
    cache.replace("m", ("c",), ())
    assert cache.cells("m", "v", [ALL]) == [[]]
    assert cache.dirty("m") == {CELL: True}


def test_a_file_that_is_added_twice_counts_once(tmp_path):
    """Two rounds that overlap, of two processes too, both believe that a file is new."""
    cache, other = Cache(tmp_path / "monitoring.db"), Cache(tmp_path / "monitoring.db")
    cache.replace("m", (), [("a", CELL.day, {CELL: fold(0.5)})])
    for one in (cache, other):
        with one.transaction():
            one.replace("m", (), [("b", CELL.day, {CELL: fold(1.5, 7.0)})])
    ((whole,),) = cache.cells("m", "v", [ALL])
    assert (whole.scored, whole.profile) == (3, fold(0.5, 1.5, 7.0).profile)


def test_what_is_half_done_is_not_there(tmp_path):
    cache = Cache(tmp_path / "monitoring.db")
    with pytest.raises(KeyboardInterrupt), cache.transaction():
        cache.replace("m", (), [("a", CELL.day, {CELL: fold(0.5)})])
        raise KeyboardInterrupt
    assert (cache.files("m"), cache.dirty("m")) == ({}, {})


def test_another_format_is_thrown_away_and_the_journal_kept(tmp_path):
    path = tmp_path / "monitoring.db"
    cache, entry = Cache(path), Entry(EventTime(1), "m", "v", "decided", "because", "of this")
    cache.replace("m", (), [("a", CELL.day, {CELL: fold(0.5)})])
    cache.write_down(entry)
    cache.close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 0")
    db.close()
    again = Cache(path)
    assert (again.files("m"), again.journal("m")) == ({}, [entry])


def test_a_damaged_file_says_that_it_may_be_deleted(tmp_path):
    path = tmp_path / "monitoring.db"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError, match="may be deleted"):
        Cache(path)
