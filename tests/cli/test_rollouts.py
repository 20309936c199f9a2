"""Steps of a rollout by hand, each saying what it changes, and a decision explained from the journal."""

from __future__ import annotations

import msgspec
import pytest

from gyroscope.assembly import House
from gyroscope.clock import EventTime
from gyroscope.models import Candidate
from gyroscope.records import Feature, Route, Signature
from gyroscope.rollouts.decide import Seen, decide
from gyroscope.signals.journal import Act


@pytest.fixture
def versions(gyro, here):
    """A home with two versions of one model; the first is served."""
    assert gyro("init").code == 0
    (here / "t.txt").write_bytes(b"tree\n")
    house = House(here / "gyroscope.yaml")
    signatures = [Signature("binary", (Feature("x"),), threshold=one) for one in (0.4, 0.6)]
    candidates = [Candidate("churn", "lightgbm", one, here / "t.txt") for one in signatures]
    old, new = (house.models.add(one, EventTime(at)).version for at, one in enumerate(candidates))
    house.routes.set_route(Route("churn", old), reason="first", now=EventTime(1))
    return house, old, new


def test_up_and_back_by_hand(gyro, versions):
    house, old, new = versions
    tried = gyro("rollouts", "canary", "churn", "--share", "0.2", "--dry-run")
    assert f"would serve {old} 80%, {new} 20%" in tried.out
    assert house.routes.routes("churn") == [Route("churn", old)]
    assert gyro("rollouts", "canary", "churn", "--share", "0.2").code == 0
    assert gyro("rollouts", "promote", "churn", "--json").json["changed"]
    assert gyro("rollouts", "show", "churn").out.startswith(f"churn: {new} 95%, {old} 5% standby")
    assert gyro("rollouts", "promote", "churn", "--reason", "enough seen").code == 0
    assert gyro("rollouts", "show", "churn").out.startswith(f"churn: {new} 100%, {old} standby")
    assert gyro("rollback", "churn", "--reason", "complaints").code == 0
    assert house.routes.routes("churn") == [Route("churn", old)]
    assert house.routes.history("churn")[-1].reason == "roll back by hand: complaints"
    assert gyro("models", "serve", "churn", new).code == 0
    acts = [act for act in reversed(house.journal.newest("rollouts", "churn")) if act.mode == "act"]
    assert [act.action for act in acts] == ["canary", "promote", "promote", "roll back", "serve"]
    seen = [msgspec.json.decode(act.inputs, type=Seen) for act in acts]
    assert [(one.version, one.stage, one.share) for one in seen] == [
        (new, "waiting", 0.2),
        (new, "canary", 0.95),
        (new, "holdback", 1.0),
        (new, "standing", 0.0),
        (new, "waiting", 1.0),
    ]
    assert seen[3].because == "complaints"
    assert all(gyro("explain", act.id).code == 0 for act in acts)
    assert gyro("models", "serve", "churn", old).code == 0
    refused = gyro("rollback", "churn")
    assert refused.code == 2
    assert "none stands by" in refused.err


def test_a_challenger_waits_for_its_turn(gyro, versions):
    house, old, new = versions
    assert "the loop proposes" in gyro("rollouts", "start", "churn").out
    assert [one.version for one in house.challengers.open("churn")] == [new]
    assert "is the champion" in gyro("rollouts", "start", "churn", old).err
    assert gyro("rollouts", "show", "churn", "--json").json["challengers"][0]["state"] == "waiting"


def test_a_decision_is_made_again_from_its_inputs(gyro, versions):
    house, _, new = versions
    seen = Seen("churn", new, "canary", deaths=3)
    decision, inputs = decide(seen), msgspec.json.encode(seen).decode()
    act = Act("rollouts", "churn", decision.action, decision.reason, "act", inputs, EventTime(5))
    told = gyro("explain", house.journal.append(act))
    assert told.code == 0
    assert "it keeps dying" in told.out
    assert "the same" in told.out
    other = gyro("explain", house.journal.append(msgspec.structs.replace(act, action="promote")), "--json")
    assert (other.code, other.json["same"]) == (1, False)
    assert "no act" in gyro("explain", "rollouts-99").err
