"""What notifiers are told: an incident opened, once; it is over, once; nothing while somebody snoozes."""

from __future__ import annotations

import pytest
from tests.alerts.causes import cause, judged
from tests.alerts.told import sent

from gyroscope.alerts import Incidents
from gyroscope.alerts.outbox import Outbox
from gyroscope.clock import DAY_US, EventTime
from gyroscope.errors import InputError

WALL = EventTime(1_000 * DAY_US)
LATER = EventTime(WALL + DAY_US)


@pytest.fixture
def incidents(tmp_path):
    return Incidents(tmp_path / "state.db", notifiers=("team", "boss"))


@pytest.fixture
def outbox(incidents, tmp_path):
    return Outbox(tmp_path / "state.db")


def broken(**more):
    return cause("quality", 10, "age", **more)


def test_each_notifier_is_told_once_that_it_opened(incidents, outbox):
    for _ in range(3):
        incidents.take("m", judged(broken()))
    assert sent(outbox, "team") == sent(outbox, "boss") == ["opened"]
    with outbox.desk("team") as desk:
        (letter,) = desk.due(WALL, 100)
    assert (letter.notice.incident, letter.notice.why) == (incidents.all()[0].id, "quality since day 10")


def test_what_informs_is_told_to_nobody(incidents, outbox):
    incidents.take("m", judged(broken(pages=False)))
    assert sent(outbox) == []


def test_what_informed_is_told_of_once_it_pages(incidents, outbox):
    incidents.take("m", judged(broken(pages=False)))
    incidents.take("m", judged(broken()))
    assert sent(outbox) == ["opened"]


def test_what_only_went_quiet_is_no_news_until_it_cannot_come_back(incidents, outbox):
    ended = EventTime(12 * DAY_US)
    for _ in range(25):
        incidents.take("m", judged(broken()))
        incidents.take("m", judged(broken(ended=ended)))
    assert sent(outbox) == ["opened"]
    for _ in range(2):
        incidents.take("m", judged(broken(ended=ended, is_settled=True)))
    assert sent(outbox) == ["opened", "resolved"]


def test_what_was_over_before_anybody_was_told_is_no_news(incidents, outbox):
    incidents.take("m", judged(broken(ended=EventTime(12 * DAY_US), is_settled=True)))
    assert sent(outbox) == []


def test_what_is_not_found_any_more_is_over(incidents, outbox):
    incidents.take("m", judged(broken()))
    incidents.take("m", judged())
    assert sent(outbox) == ["opened", "resolved"]


def test_what_went_quiet_and_is_then_not_found_is_over(incidents, outbox):
    incidents.take("m", judged(broken()))
    incidents.take("m", judged(broken(ended=EventTime(12 * DAY_US))))
    incidents.take("m", judged())
    assert sent(outbox) == ["opened", "resolved"]


@pytest.mark.parametrize("state", ["closed", "noise", "accepted"])
def test_what_a_person_decides_is_told_at_once(incidents, outbox, state):
    incidents.take("m", judged(broken()))
    incidents.move(incidents.all()[0].id, state, by="ada", reason="seen", at=WALL)
    incidents.take("m", judged(broken()))
    assert sent(outbox) == ["opened", "resolved"]


def test_acknowledging_is_no_news(incidents, outbox):
    incidents.take("m", judged(broken()))
    incidents.move(incidents.all()[0].id, "acknowledged", by="ada", reason="looking", at=WALL)
    assert sent(outbox) == ["opened"]


def test_what_comes_back_after_people_heard_it_was_over_is_told_again(incidents, outbox):
    incidents.take("m", judged(broken()))
    incidents.move(incidents.all()[0].id, "closed", by="ada", reason="mended", at=WALL)
    incidents.take("m", judged(broken(ended=EventTime(12 * DAY_US))))
    incidents.take("m", judged(broken()))
    assert sent(outbox) == ["opened", "resolved", "opened"]
    keys = [letter.notice.key for letter in outbox.of(incidents.all()[0].id) if letter.notifier == "team"]
    assert len(set(keys)) == 3


def test_one_that_now_belongs_to_a_deeper_root_is_told_of_once(incidents, outbox):
    incidents.take("m", judged(cause("performance", 11, "brier")))
    incidents.take("m", judged(cause("performance", 11, "brier"), broken()))
    assert sent(outbox) == ["opened"]


def test_nobody_is_told_of_what_is_snoozed(incidents, outbox):
    incidents.take("m", judged(broken()))
    one = incidents.all()[0].id
    incidents.snooze(one, LATER, by="ada", reason="on holiday", at=WALL)
    incidents.take("m", judged(broken(ended=EventTime(12 * DAY_US), is_settled=True)))
    assert (incidents.wake(WALL), sent(outbox)) == (0, ["opened"])
    assert (incidents.wake(LATER), sent(outbox)) == (1, ["opened", "resolved"])
    assert incidents.wake(EventTime(LATER + 1)) == 0


def test_what_still_stands_after_a_snooze_is_told_of_again(incidents, outbox):
    incidents.take("m", judged(broken()))
    one = incidents.all()[0].id
    incidents.snooze(one, LATER, by="ada", reason="on holiday", at=WALL)
    assert [incidents.wake(EventTime(LATER + more)) for more in (-1, 0, 1)] == [0, 1, 0]
    assert sent(outbox) == ["opened", "opened"]
    assert incidents.get(one).snoozed_until == 0
    assert [(line.state, line.reason) for line in incidents.journal(one)][1:] == [
        ("open", "snoozed until 1972-09-28T00:00:00+00:00: on holiday")
    ]


def test_what_is_quiet_when_its_snooze_ends_wakes_once(incidents, outbox):
    incidents.take("m", judged(broken()))
    incidents.snooze(incidents.all()[0].id, LATER, by="ada", reason="", at=WALL)
    incidents.take("m", judged(broken(ended=EventTime(12 * DAY_US))))
    assert [incidents.wake(LATER), incidents.wake(LATER)] == [1, 0]
    assert sent(outbox) == ["opened"]
    incidents.take("m", judged(broken(ended=EventTime(12 * DAY_US), is_settled=True)))
    assert sent(outbox) == ["opened", "resolved"]


def test_what_does_not_stand_or_is_over_cannot_be_snoozed(incidents):
    incidents.take("m", judged(broken()))
    one = incidents.all()[0].id
    with pytest.raises(InputError, match="is over: nothing to snooze"):
        incidents.snooze(one, WALL, by="ada", reason="", at=WALL)
    incidents.move(one, "noise", by="ada", reason="", at=WALL)
    with pytest.raises(InputError, match="is noise: nothing to snooze"):
        incidents.snooze(one, LATER, by="ada", reason="", at=WALL)


def test_a_change_and_its_notice_are_written_together_or_not_at_all(incidents, outbox, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gyroscope.alerts.store._write", full)
    with pytest.raises(Exception, match="No space left"):
        incidents.take("m", judged(broken()))
    assert (incidents.all(), sent(outbox)) == ([], [])


def test_what_another_source_says_stands(incidents):
    incidents.take("m", judged(broken()))
    limit = cause("rule", 10, "slow", "age")
    rules = judged(limit)
    rules.upto.clear()
    rules.upto["v", "rule"] = EventTime(11 * DAY_US)
    incidents.take("m", rules, source="rules")
    (one,) = incidents.all()
    assert (one.kind, one.state, [child.kind for child in one.children]) == ("quality", "open", ["rule"])
    incidents.take("m", judged(broken()))
    assert [child.kind for child in incidents.all()[0].children] == ["rule"]


def test_a_rule_about_something_else_is_an_incident_of_its_own(incidents):
    incidents.take("m", judged(broken()))
    incidents.take("m", judged(cause("rule", 10, "slow", "latency_p99_s")), source="rules")
    assert {one.kind for one in incidents.all() if one.is_standing} == {"quality", "rule"}
