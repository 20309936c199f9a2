"""Counters side by side: a decision costs the same after a month as after an hour."""

from __future__ import annotations

import pytest

from gyroscope.clock import SECOND_NS, MachineTime
from gyroscope.rollouts.counts import MOST, NEWEST, SideBySide
from gyroscope.supervisor.pulse import Pulse

DAY_S = 86_400


@pytest.fixture
def pulses(tmp_path):
    made = {name: Pulse.create(tmp_path / f"{name}.pulse") for name in ("old", "new")}
    for pulse in made.values():
        pulse.begin(1, 2, (1,))
        pulse.end(2)
    yield made
    for pulse in made.values():
        pulse.close()


def test_stretches_stay_few_and_nothing_that_was_counted_is_lost(tmp_path, pulses):
    beside, at_s, looks = SideBySide(tmp_path, MachineTime(0)), 0.0, 0
    beside.look(["old"], ["new"], {}, MachineTime(0))
    while at_s < 60 * DAY_S:
        at_s += max(0.2, at_s / 300)
        looks += 1
        pulses["old"].served(1, "logged", 1_000)
        pulses["new"].served(1, "logged", 1_000)
        pulses["new"].add("requests_5xx")
        errors, slow, _ = beside.look(["old"], ["new"], {}, MachineTime(round(at_s * SECOND_NS) + 1))
        assert len(errors.a_n) == len(slow.a_n) <= MOST
    assert looks > 2 * MOST
    assert (sum(errors.a_n), sum(errors.a_harm)) == (looks, 0)
    assert (sum(errors.b_n), sum(errors.b_harm)) == (2 * looks, looks)


def test_what_a_model_works_is_told_without_what_waits(tmp_path, pulses):
    beside = SideBySide(tmp_path, MachineTime(0))
    assert beside.look(["old"], ["new"], {}, MachineTime(0))[2] is None, "nobody has worked yet"
    for turn in range(2 * NEWEST):
        longer = 1 if turn < NEWEST else 3
        pulses["old"].served_turn([0], 0, 1_000)
        pulses["new"].served_turn([0], 50_000, 50_000 + longer * 1_000)
        work = beside.look(["old"], ["new"], {}, MachineTime((turn + 1) * SECOND_NS))[2]
        if turn == NEWEST - 1:
            assert work == pytest.approx(1.0), "it waits fifty times as long, and works no longer"
    assert work == pytest.approx(3.0), "what was long ago is forgotten"


def test_a_pause_makes_nothing_unknown_of_what_models_work(tmp_path, pulses):
    """What is not known counts as longer: a sound champion was taken back as slow because nobody asked for a while."""
    beside = SideBySide(tmp_path, MachineTime(0))
    beside.look(["old"], ["new"], {}, MachineTime(0))
    pulses["old"].served_turn([0], 0, 1_000)
    for turn in range(1, 3 * NEWEST):
        if turn < NEWEST:  # the new one has most of the requests, and after the only one of the other nobody asks
            pulses["new"].served_turn([0], 0, 1_000)
        work = beside.look(["old"], ["new"], {}, MachineTime(turn * SECOND_NS))[2]
        assert work == pytest.approx(1.0)
