"""What monitors are sure of becomes incidents once: again and again, late, gone, and with a deeper cause."""

from __future__ import annotations

import msgspec
from tests.alerts.causes import cause, judged

from gyroscope.alerts.reconcile import BACK, GONE, reconcile
from gyroscope.clock import DAY_US, EventTime


def judge(known, *causes, upto=100):
    changes = reconcile(known, judged(*causes, upto=upto))
    after = {one.id: one for one in known} | changes.incidents
    return list(after.values()), [(one.state, one.reason) for one in changes.transitions]


def day(number: int) -> EventTime:
    return EventTime(number * DAY_US)


def test_the_same_causes_twice_change_nothing():
    found = [cause("quality", 10, "age"), cause("input", 10, "age"), cause("performance", 60, "brier")]
    incidents, transitions = judge([], *found)
    assert [state for state, _ in transitions] == ["open", "open"]
    assert [(one.kind, len(one.children)) for one in incidents] == [("quality", 1), ("performance", 0)]
    again, transitions = judge(incidents, *found)
    assert (again, transitions) == (incidents, [])


def test_an_incident_closes_when_its_cause_is_over_and_a_new_change_opens_another():
    incidents, _ = judge([], cause("performance", 10, "brier"))
    over = cause("performance", 10, "brier", ended=day(20))
    incidents, transitions = judge(incidents, over)
    assert [one.state for one in incidents] == ["closed"]
    assert transitions == [("closed", "all of its series have been quiet again")]
    incidents, transitions = judge(incidents, over, cause("performance", 30, "brier"))
    assert [one.state for one in incidents] == ["closed", "open"]
    assert len(transitions) == 1


def test_a_cause_that_is_seen_and_over_in_one_round_is_told_of_and_closed():
    incidents, transitions = judge([], cause("quality", 10, "age", ended=day(12)))
    assert [one.state for one in incidents] == ["closed"]
    assert [state for state, _ in transitions] == ["open", "closed"]


def test_a_deeper_cause_seen_later_takes_over_and_opens_nothing():
    first, _ = judge([], cause("performance", 10, "brier"))
    then, transitions = judge(first, cause("performance", 10, "brier"), cause("quality", 9, "age"))
    assert transitions == []
    assert [(one.id, one.kind, one.subjects) for one in then] == [(first[0].id, "quality", ("age",))]
    assert then[0].notes[0].text.startswith("first seen as: performance")
    again, _ = judge(then, cause("performance", 10, "brier"), cause("quality", 9, "age"))
    assert again == then


def test_what_is_not_found_any_more_is_closed_with_a_note_and_never_taken_back():
    incidents, _ = judge([], cause("performance", 10, "brier"))
    incidents, transitions = judge(incidents)
    assert [one.state for one in incidents] == ["closed"]
    assert [note.text for note in incidents[0].notes] == [GONE]
    assert transitions == [("closed", GONE)]


def test_an_incident_newer_than_what_was_judged_is_left_alone():
    incidents, _ = judge([], cause("performance", 10, "brier"))
    assert judge(incidents, upto=9) == (incidents, [])


def test_what_a_person_closed_stays_closed_while_its_cause_lasts():
    incidents, _ = judge([], cause("input", 10, "age", pages=False))
    closed = [msgspec.structs.replace(incidents[0], state="noise")]
    assert judge(closed, cause("input", 10, "age", pages=False)) == (closed, [])


def test_information_becomes_a_page_when_something_of_it_does():
    incidents, _ = judge([], cause("input", 10, "age", pages=False))
    assert not incidents[0].pages
    incidents, _ = judge(incidents, cause("input", 10, "age", pages=False), cause("performance", 11, "brier"))
    assert incidents[0].pages
    assert incidents[0].kind == "performance"


def test_the_harm_of_a_consequence_is_the_harm_of_its_cause():
    found = [cause("quality", 10, "age"), cause("performance", 10, "brier", harm_per_day=45.0)]
    (incident,), _ = judge([], *found)
    assert incident.harm_per_day == 45.0


def test_what_is_back_soon_after_it_was_over_opens_the_same_incident_again():
    incidents, _ = judge([], cause("performance", 10, "brier", ended=day(20)))
    incidents, transitions = judge(incidents, cause("performance", 10, "brier"))
    assert [one.state for one in incidents] == ["open"]
    assert transitions == [("open", BACK)]


def test_a_decided_incident_does_not_swallow_what_begins_after_it():
    incidents, _ = judge([], cause("performance", 10, "brier"))
    accepted = [msgspec.structs.replace(incidents[0], state="accepted")]
    incidents, transitions = judge(accepted)
    assert transitions == []
    incidents, transitions = judge(incidents, cause("performance", 60, "brier"))
    assert [(one.state, one.since) for one in incidents] == [("accepted", day(10)), ("open", day(60))]
    assert [state for state, _ in transitions] == ["open"]
