"""The store of incidents: moves that are allowed and refused, journals, epochs, noise, restarts."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from tests.alerts.causes import cause, judged

from gyroscope.alerts import Incidents
from gyroscope.clock import DAY_US, EventTime
from gyroscope.errors import InputError

WALL = EventTime(1_000 * DAY_US)


@pytest.fixture
def incidents(tmp_path):
    return Incidents(tmp_path / "state.db")


@pytest.fixture
def one(incidents):
    incidents.take("m", judged(cause("performance", 10, "brier", harm_per_day=4.0)))
    return incidents.all("m")[0].id


def test_a_round_survives_a_restart_and_is_not_told_twice(incidents, one, tmp_path):
    again = Incidents(tmp_path / "state.db")
    assert again.take("m", judged(cause("performance", 10, "brier", harm_per_day=4.0))) == []
    assert again.all() == incidents.all()
    assert [(line.state, line.by) for line in again.journal(one)] == [("open", "monitors")]


def test_a_person_acknowledges_and_closes_and_the_journal_says_who_and_why(incidents, one):
    incidents.move(one, "acknowledged", by="ada", reason="looking", at=WALL)
    incidents.move(one, "closed", by="ada", reason="mended", at=WALL)
    assert [(line.state, line.by, line.reason) for line in incidents.journal(one)][1:] == [
        ("acknowledged", "ada", "looking"),
        ("closed", "ada", "mended"),
    ]


def test_moving_twice_is_one_line_of_the_journal(incidents, one):
    for _ in range(2):
        incidents.move(one, "closed", by="ada", reason="mended", at=WALL)
    assert len(incidents.journal(one)) == 2


def test_what_is_closed_cannot_be_acknowledged(incidents, one):
    incidents.move(one, "closed", by="ada", reason="mended", at=WALL)
    with pytest.raises(InputError, match="is closed and cannot become acknowledged"):
        incidents.move(one, "acknowledged", by="ada", reason="", at=WALL)


def test_an_unknown_incident_is_named_with_a_near_word(incidents, one):
    with pytest.raises(InputError, match="no incident is called") as told:
        incidents.get(one[:-1])
    assert one in told.value.fix


def test_accepting_begins_an_epoch_at_the_change(incidents, one):
    incidents.move(one, "accepted", by="ada", reason="new price list", at=WALL)
    assert incidents.epochs("m", "v") == [EventTime(10 * DAY_US)]
    assert incidents.epochs("m", "w") == []


def test_noise_counts_pages_of_thirty_days(incidents, one):
    incidents.take("m", judged(cause("performance", 10, "brier"), cause("input", 40, "age", pages=False)))
    incidents.take("m", judged(cause("rule", 20, "slow")), source="rules")
    for incident in incidents.all("m"):
        incidents.move(incident.id, "noise", by="ada", reason="nothing", at=WALL)
    assert incidents.noise("m", EventTime(39 * DAY_US)) == 1
    assert incidents.noise("m", EventTime(41 * DAY_US)) == 0


def test_what_pages_with_most_harm_comes_first(incidents, one):
    causes = [
        cause("performance", 10, "brier", harm_per_day=4.0),
        cause("quality", 40, "age", harm_per_day=40.0),
        cause("input", 80, "hour", pages=False),
    ]
    incidents.take("m", judged(*causes))
    assert [incident.kind for incident in incidents.all()] == ["quality", "performance", "input"]


@pytest.mark.parametrize("sql", ["UPDATE incident_journal SET who = 'eve'", "DELETE FROM incident_journal"])
def test_the_journal_is_only_added_to(incidents, one, tmp_path, sql):
    connection = sqlite3.connect(tmp_path / "state.db")
    with closing(connection), pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(sql)
