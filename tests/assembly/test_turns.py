"""One model's fault is no other's."""

from __future__ import annotations

from gyroscope.assembly.turns import each


def test_the_others_have_their_turn_and_it_is_said_who_had_none(caplog):
    looked = []
    each("rollouts", ("a", "b", "c"), lambda model: 1 / 0 if model == "b" else looked.append(model))
    assert looked == ["a", "c"]
    assert "rollouts: the look at b failed" in caplog.text
    assert "ZeroDivisionError" in caplog.text
