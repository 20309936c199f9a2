"""A story that breaks a law is caught, whichever it is."""

from __future__ import annotations

import pytest
from benchmarks.loop.lawful import broken_laws, missing

VERSION = "f" * 12
QUALITY = {"id": "m-1", "kind": "quality", "columns": ["humid"]}
FELL = {"id": "m-2", "kind": "performance", "columns": ["brier"]}


def event(what, day, version="", **evidence):
    return {"type": what, "at": f"2013-06-{day:02d}", "reason": "because", "version": version, "evidence": evidence}


UP = {"type": "up", "at": "2013-03-01", "reason": "because", "evidence": {}}
STORY = [
    UP,
    event("incident_opened", 1, **FELL),
    event("retraining_started", 1, trigger="an incident"),
    event("version_registered", 2, VERSION),
    event("shadow_started", 2, VERSION),
    event("canary_started", 9, VERSION),
    event("promoted", 9, VERSION),
    event("incident_resolved", 10, **FELL),
    event("incident_opened", 11, **QUALITY),
    event("retraining_vetoed", 11, columns="humid"),
    event("scaled", 12, action="1 -> 2"),
    event("scaled", 13, action="2 -> 1"),
    {**event("version_registered", 14, "poison"), "reason": "offered by somebody"},
    event("shadow_started", 14, "poison"),
    event("rolled_back", 21, "poison"),
    event("done", 30),
]


def test_a_story_in_order_breaks_none_and_misses_nothing():
    assert broken_laws(STORY) == []
    assert missing(STORY) == []


def test_a_training_on_schedule_needs_no_incident():
    story = [{**one, "reason": "it is time"} if one["type"] == "retraining_started" else one for one in STORY]
    assert broken_laws([one for one in story if one["at"] != "2013-06-10" and one["evidence"] != FELL]) == []


@pytest.mark.parametrize(
    ("place", "change", "said"),
    [
        (3, {"type": "progress"}, "shadow_started of ffffffffffff"),
        (4, {"type": "progress"}, "canary_started of"),
        (5, {"type": "progress"}, "promoted of"),
        (13, {"type": "progress"}, "rolled_back of poison"),
        (1, {"type": "progress"}, "a training at 2013-06-01 without an incident"),
        (8, {"type": "progress"}, "a veto at 2013-06-11 for humid"),
        (6, {"reason": ""}, "has no reason"),
        (6, {"at": "2013-06-30"}, "go back in time"),
        (6, {"type": "celebrated"}, "nobody knows the type"),
    ],
)
def test_each_law(place, change, said):
    story = [{**one, **change} if at == place else one for at, one in enumerate(STORY)]
    assert any(said in law for law in broken_laws(story))


@pytest.mark.parametrize(
    ("place", "name"),
    [(1, "performance"), (8, "data quality"), (9, "veto"), (6, "promotion"), (10, "grew"), (11, "shrank")],
)
def test_each_part_is_missed(place, name):
    story = [one for at, one in enumerate(STORY) if at != place]
    assert any(name in one for one in missing(story))


def test_a_poisoned_version_that_stays_is_missed():
    assert missing([one for one in STORY if one["type"] != "rolled_back"]) == ["the poisoned version, taken back"]


def test_a_late_start_may_see_no_fall_and_misses_every_other_part_as_ever():
    late = [{**one, "at": "2013-06-01"} if one is UP else one for one in STORY]
    fell = [one for one in STORY if one["evidence"] == FELL]
    assert missing([one for one in late if one not in fell]) == []
    assert missing([one for one in STORY if one not in fell]) == ["an incident of performance"]
    assert missing([]) != []


@pytest.mark.parametrize("columns", [["temp"], ["humid", "temp"], []])
def test_an_incident_of_what_nothing_broke_is_not_the_one_that_is_asked_for(columns):
    story = [
        {**one, "evidence": {**QUALITY, "columns": columns}} if one.get("evidence") == QUALITY else one for one in STORY
    ]
    assert missing(story) == ["an incident of data quality, of a column in another unit"]
