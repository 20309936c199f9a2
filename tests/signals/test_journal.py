"""The journal keeps acts in order, gives them back as they were, and lets nobody rewrite one."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
import pytest

from gyroscope.clock import EventTime
from gyroscope.errors import StoreError
from gyroscope.signals.journal import KEPT, Act, Journal

GREW = Act("scaling", "flights", "2 -> 5", "demand_above_capacity", "act", '{"busy":0.9}', EventTime(7))


def test_an_act_comes_back_as_it_was(tmp_path: Path):
    journal = Journal(tmp_path / "state.db")
    act_id = journal.append(GREW)
    assert act_id == "scaling-1"
    assert Journal(tmp_path / "state.db").get(act_id) == msgspec.structs.replace(GREW, id=act_id)


def test_the_newest_come_first_of_the_loop_and_model_asked_for(tmp_path: Path):
    journal = Journal(tmp_path / "state.db")
    for loop, subject in (("scaling", "a"), ("rollouts", "a"), ("scaling", "b"), ("scaling", "a")):
        journal.append(msgspec.structs.replace(GREW, loop=loop, subject=subject))
    assert [act.id for act in journal.newest("scaling", "a")] == ["scaling-4", "scaling-1"]
    assert [act.id for act in journal.newest(most=2)] == ["scaling-4", "scaling-3"]


@pytest.mark.parametrize("act_id", ["rollouts-1", "scaling-2", "scaling", "", "scaling-x"])
def test_an_unknown_act_is_an_error_with_a_near_id(tmp_path: Path, act_id: str):
    journal = Journal(tmp_path / "state.db")
    journal.append(GREW)
    with pytest.raises(StoreError, match="no act") as refused:
        journal.get(act_id)
    assert "scaling-1" in refused.value.fix


@pytest.mark.parametrize("change", ["UPDATE acts SET action = 'nothing'", "DELETE FROM acts"])
def test_nobody_rewrites_what_was_done(tmp_path: Path, change: str):
    Journal(tmp_path / "state.db").append(GREW)
    database = sqlite3.connect(tmp_path / "state.db")
    with pytest.raises(sqlite3.IntegrityError, match=r"append-only|newest acts"):
        database.execute(change)
    database.close()


def test_the_oldest_beyond_those_that_are_kept_go(tmp_path: Path):
    journal = Journal(tmp_path / "state.db")
    first, other = journal.append(GREW), journal.append(msgspec.structs.replace(GREW, subject="rides"))
    database = sqlite3.connect(tmp_path / "state.db")
    insert = "INSERT INTO acts (loop, subject, action, reason, mode, inputs, at) VALUES (?, ?, ?, ?, ?, ?, ?)"
    database.executemany(insert, [(GREW.loop, GREW.subject, "", "", "act", "", 8)] * (KEPT - 1))
    database.commit()
    assert journal.get(first).at == 7
    last = journal.append(GREW)
    assert database.execute("SELECT count(*) FROM acts WHERE subject = 'flights'").fetchone() == (KEPT,)
    database.close()
    assert journal.get(last).at == journal.get(other).at == 7
    with pytest.raises(StoreError, match="no act"):
        journal.get(first)
