"""Measuring comes first: what judging may take of the time, and who has the next turn."""

from __future__ import annotations

from gyroscope.clock import SECOND_NS, MachineTime
from gyroscope.monitoring.judging.turns import AHEAD_NS, QUIET_NS, RESTED_NS, SHARE, Turns

START = MachineTime(1_000 * SECOND_NS)


def later(seconds: float, start: MachineTime = START) -> MachineTime:
    return MachineTime(start + round(seconds * SECOND_NS))


def test_a_slow_judgement_leaves_four_fifths_of_the_time_to_measuring():
    turns, now, judged = Turns(), START, 0
    for _ in range(600):  # ten minutes of a round every second; judging takes one second each time
        turns.changed("m", now)
        if turns.due(["m"], now) and turns.has_time(now):
            turns.judged("m", now, later(1, now))
            judged += 1
        now = later(1, now)
    assert 600 / SHARE - 2 <= judged <= 600 / SHARE + AHEAD_NS // SECOND_NS


def test_many_quick_ones_are_judged_in_the_same_round():
    turns = Turns()
    names = [f"m{at}" for at in range(20)]
    for name in names:
        assert turns.has_time(START)
        turns.judged(name, START, later(0.01))
    assert turns.due(names, START) == []


def test_who_waited_longest_is_first_and_who_got_no_turn_keeps_it():
    turns = Turns()
    for at, name in enumerate("abc"):
        turns.judged(name, later(at), later(at + 0.1))
        turns.changed(name, later(5))
    turns.judged("b", later(5), later(6))
    assert turns.due("cba", later(6)) == ["a", "c"]
    assert turns.due("cba", later(7)) == ["a", "c"]


def test_a_model_that_rests_is_judged_once_a_minute_and_is_quiet_after_five():
    turns = Turns()
    turns.changed("m", START)
    turns.judged("m", START, START)
    assert turns.due(["m"], MachineTime(START + RESTED_NS - 1)) == []
    assert turns.due(["m"], MachineTime(START + RESTED_NS)) == ["m"]
    assert not turns.is_quiet("m", MachineTime(START + QUIET_NS - 1))
    assert turns.is_quiet("m", MachineTime(START + QUIET_NS))
    assert not turns.is_quiet("met now", MachineTime(START + QUIET_NS))
    assert turns.is_quiet("met now", MachineTime(START + 2 * QUIET_NS))
