"""The commands about incidents, on a real home without a running house."""

from __future__ import annotations

import json

import pytest
from benchmarks.loop.receiver import receiving
from tests.alerts.causes import cause, judged

from gyroscope.assembly import House
from gyroscope.clock import EventTime, parse_event_time
from gyroscope.records import Signal

CODE = """\
class Churn:
    def predict(self, matrix, columns):
        return matrix[:, 0] * 0
"""
APRIL = EventTime(parse_event_time("2026-04-01"))


@pytest.fixture
def shop(gyro, here):
    """A home with two incidents: broken data that explains a fall, and a drift that only informs."""
    assert gyro("init").code == 0
    (here / "signature.yaml").write_text("task: binary\nfeatures:\n  - {name: age, dtype: float64}\n")
    (here / "churn.py").write_text(CODE)
    assert gyro("models", "add", "churn", "churn.py:Churn", "--signature", "signature.yaml").code == 0
    made = {"model": "churn", "since": APRIL, "seen": APRIL}
    evidence = Signal("effect", APRIL, 0.35, (("column", "age"),), 0.3, 0.4)
    causes = (
        cause("quality", 0, "age", **made, harm_per_day=45.0, bundle=(evidence,)),
        cause("performance", 0, "brier", **made),
        cause("input", 100, "plan", model="churn", pages=False),
    )
    House(here / "gyroscope.yaml").incidents.take("churn", judged(*causes))
    return here


def ids(gyro):
    return [one["id"] for one in gyro("incidents", "list", "--json").json]


def test_the_list_says_what_stands_and_ends_with_1(gyro, shop):
    ended = gyro("incidents", "list")
    assert ended.code == 1
    assert "broken data: age" in ended.out
    assert "about 45 rows a day" in ended.out
    assert "open, information" in ended.out


def test_one_is_shown_with_evidence_what_it_explains_and_its_journal(gyro, shop):
    told = gyro("incidents", "show", ids(gyro)[0]).out
    for text in ("quality since day 0", "explains performance since day 0", "0.3 to 0.4", "monitors", "2026-04-01"):
        assert text in told
    assert gyro("incidents", "show", ids(gyro)[0], "--json").json["incident"]["children"][0]["kind"] == "performance"


def test_decisions_move_it_and_are_journaled_with_their_reason(gyro, shop):
    first, second = ids(gyro)
    assert gyro("incidents", "acknowledge", first, "--because", "on it").code == 0
    assert gyro("incidents", "close", first).out.endswith("is closed: broken data: age\n")
    assert gyro("incidents", "noise", second, "--json").json["state"] == "noise"
    assert "on it" in gyro("incidents", "show", first).out
    ended = gyro("incidents", "list")
    assert (ended.code, ended.out) == (0, "no incident stands\n")
    assert len(gyro("incidents", "list", "churn", "--all", "--json").json) == 2


def test_a_snooze_tells_nobody_and_shows_who_was_told_before(gyro, shop):
    first, _ = ids(gyro)
    assert "is snoozed until" in gyro("incidents", "snooze", first, "--until", "2d", "--because", "holiday").out
    shown = gyro("incidents", "show", first).out
    for text in ("open, snoozed until", "holiday", "log", "opened", "waiting"):
        assert text in shown
    (letter,) = gyro("incidents", "show", first, "--json").json["notifications"]
    assert (letter["notifier"], letter["notice"]["happened"], letter["progress"]) == ("log", "opened", "waiting")
    ended = gyro("incidents", "snooze", first, "--until", "soon")
    assert (ended.code, "'soon' is no time" in ended.err) == (2, True)
    assert gyro("incidents", "snooze", first, "--json").json["snoozed_until"] > 0


def test_a_decision_is_explained_from_the_journal(gyro, shop):
    first, _ = ids(gyro)
    gyro("incidents", "snooze", first, "--until", "8h", "--because", "holiday")
    gyro("incidents", "noise", first, "--because", "nothing")
    for act, verb, why in (("incidents-1", "snooze", "holiday"), ("incidents-2", "noise", "nothing")):
        ended = gyro("explain", act)
        assert ended.code == 0
        assert f"{verb}: {why}" in ended.out


def test_notifiers_are_tried_at_once_and_once(gyro, shop, monkeypatch):
    monkeypatch.setenv("TEAM_SECRET", "whsec_" + "QUJD" * 8)
    assert gyro("incidents", "test").out.split()[-2:] == ["log", "taken"]
    with receiving(lambda key, seen: "404" if seen else "204") as receiver:
        text = (shop / "gyroscope.yaml").read_text()
        team = f"notifiers: {{team: {{kind: webhook, url: '{receiver.url}', secret_env: TEAM_SECRET}}}}"
        (shop / "gyroscope.yaml").write_text(text.replace("notifiers: {}", team))
        ended = gyro("incidents", "test", "team", "--json")
        assert (ended.code, ended.json["team"]["is_delivered"]) == (0, True)
        receiver.behave = lambda key, seen: "404"
        refused = gyro("incidents", "test")
        assert (refused.code, "not taken: status 404" in refused.out) == (1, True)
    assert [json.loads(one.body)["type"] for one in receiver.requests] == ["incident.test"] * 2
    unknown = gyro("incidents", "test", "taem")
    assert (unknown.code, "did you mean 'team'" in unknown.err) == (2, True)


def test_accepting_begins_an_epoch(gyro, shop):
    (first, *_) = ids(gyro)
    assert gyro("incidents", "accept", first).code == 0
    assert House(shop / "gyroscope.yaml").incidents.epochs("churn", "v") == [APRIL]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("incidents", "show", "churn-1"), "no incident is called"),
        (("incidents", "list", "chrun"), "churn"),
    ],
)
def test_what_is_not_there_is_named(gyro, shop, words, said):
    ended = gyro(*words)
    assert ended.code == 2
    assert said in ended.err
