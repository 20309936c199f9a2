"""A story that breaks a law is caught, whichever it is."""

from __future__ import annotations

import pytest
from benchmarks.loop.lawful import broken_laws, missing

VERSION = "f" * 12
QUALITY = {"id": "m-1", "kind": "quality", "columns": ["age"]}
FELL = {"id": "m-2", "kind": "performance", "columns": ["brier"]}


def event(what, day, version="", **evidence):
    return {"type": what, "at": f"2013-06-{day:02d}", "reason": "because", "version": version, "evidence": evidence}


STORY = [
    event("incident_opened", 1, **FELL),
    event("retraining_started", 1, trigger="an incident"),
    event("version_registered", 2, VERSION),
    event("shadow_started", 2, VERSION),
    event("canary_started", 9, VERSION),
    event("promoted", 9, VERSION),
    event("incident_resolved", 10, **FELL),
    event("incident_opened", 11, **QUALITY),
    event("retraining_vetoed", 11, columns="age"),
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
        (2, {"type": "progress"}, "shadow_started of ffffffffffff"),
        (3, {"type": "progress"}, "canary_started of"),
        (4, {"type": "progress"}, "promoted of"),
        (12, {"type": "progress"}, "rolled_back of poison"),
        (0, {"type": "progress"}, "a training at 2013-06-01 without an incident"),
        (7, {"type": "progress"}, "a veto at 2013-06-11 for age"),
        (5, {"reason": ""}, "has no reason"),
        (5, {"at": "2013-06-30"}, "go back in time"),
        (5, {"type": "celebrated"}, "nobody knows the type"),
    ],
)
def test_each_law(place, change, said):
    story = [{**one, **change} if at == place else one for at, one in enumerate(STORY)]
    assert any(said in law for law in broken_laws(story))


@pytest.mark.parametrize(
    ("place", "name"),
    [(0, "performance"), (7, "data quality"), (8, "veto"), (5, "promotion"), (9, "grew"), (10, "shrank")],
)
def test_each_part_is_missed(place, name):
    story = [one for at, one in enumerate(STORY) if at != place]
    assert any(name in one for one in missing(story))


def test_a_poisoned_version_that_stays_is_missed():
    assert missing([one for one in STORY if one["type"] != "rolled_back"]) == ["the poisoned version, taken back"]
