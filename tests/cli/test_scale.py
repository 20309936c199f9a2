"""The commands about sizes, on a home where nothing runs."""

from __future__ import annotations

import msgspec
import pytest
from tests.scaling.test_horizontal import asked, even

from gyroscope.assembly import House
from gyroscope.clock import EventTime
from gyroscope.scaling import recompute
from gyroscope.signals.journal import Act

CODE = """\
class Churn:
    def predict(self, matrix, columns):
        return matrix[:, 0] * 0
"""


@pytest.fixture
def act_id(gyro, here) -> str:
    """A home with one model of two to nine replicas, and one decision about it."""
    assert gyro("init").code == 0
    (here / "signature.yaml").write_text("task: binary\nfeatures:\n  - {name: age, dtype: float64}\n")
    (here / "churn.py").write_text(CODE)
    (here / "gyroscope.yaml").write_text("models: {churn: {replicas: {min: 2, max: 9}}}\n")
    assert gyro("models", "add", "churn", "churn.py:Churn", "--signature", "signature.yaml").code == 0
    inputs = msgspec.json.encode(asked(even(50.0), 3)).decode()
    decided = recompute(inputs)
    act = Act("scaling", "churn", decided.action, decided.reason, "act", inputs, EventTime(0))
    return House(here / "gyroscope.yaml").journal.append(act)


def test_show_says_size_bounds_and_the_newest_decision(gyro, act_id):
    told = gyro("scale", "show").out
    for text in ("churn", "2 to 9", "3 -> 7", "demand_above_capacity", act_id):
        assert text in told
    assert gyro("scale", "show", "churn", "--json").json[0]["replicas"] == 2


def test_explain_makes_the_decision_again(gyro, act_id):
    told = gyro("scale", "explain", act_id)
    assert told.code == 0
    assert "decided again from the same inputs: the same" in told.out
    assert "requests_per_s" in told.out
    assert gyro("scale", "explain", act_id, "--json").json["same"] is True


def test_explain_ends_with_1_when_it_comes_out_differently(gyro, act_id, here):
    house = House(here / "gyroscope.yaml")
    lied = msgspec.structs.replace(house.journal.get(act_id), action="3 -> 8", id="")
    other = house.journal.append(lied)
    assert gyro("scale", "explain", other).code == 1


def test_an_unknown_decision_is_said_so(gyro, act_id):
    told = gyro("scale", "explain", "scaling-99")
    assert told.code == 2
    assert "no act 'scaling-99'" in told.err
