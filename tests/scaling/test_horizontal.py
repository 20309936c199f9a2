"""What `decide` says and why, decision by decision."""

from __future__ import annotations

import msgspec
import pytest

from gyroscope.records import NotEnoughData
from gyroscope.scaling.capacity import Capacity
from gyroscope.scaling.horizontal import Inputs, Memory, Policy, Reason, decide
from gyroscope.scaling.load import Load, Stretch
from gyroscope.stats.queueing import Promise

POLICY = Policy(least=1, most=20, promise=Promise(within_s=0.5, patience_s=1.0))
CAPACITY = Capacity(0.0, 0.1, cv2=0.25)
UNKNOWN = NotEnoughData("control was away")


def even(per_s: float, waiting: int = 0) -> Load:
    return Load((Stretch(per_s, 2.0), Stretch(per_s, 5.0), Stretch(per_s, 30.0)), waiting)


def asked(load: Load | NotEnoughData, size: int, **changes) -> Inputs:
    policy = msgspec.structs.replace(POLICY, **changes)
    return Inputs(1_000.0, size, size, policy, load, CAPACITY, Memory(0.0))


def test_demand_above_capacity_grows_at_once():
    sizing = decide(asked(even(50.0), 3))
    assert (sizing.replicas, sizing.reason) == (7, Reason.ABOVE)


def test_a_burst_is_met_before_the_long_mean_knows_of_it():
    load = Load((Stretch(100.0, 2.0), Stretch(50.0, 5.0), Stretch(20.0, 30.0)))
    sizing = decide(asked(load, 4))
    assert sizing.reason is Reason.BURST
    assert sizing.replicas >= 12


def test_chance_is_no_burst():
    load = Load((Stretch(28.0, 2.0), Stretch(24.0, 5.0), Stretch(20.0, 30.0)))
    assert decide(asked(load, 4)).reason in (Reason.STEADY, Reason.STABILISING)


def test_a_line_that_waits_asks_for_more():
    assert decide(asked(even(20.0, waiting=60), 4)).replicas > decide(asked(even(20.0), 4)).replicas


def test_a_line_whose_last_is_still_in_time_asks_for_nothing():
    assert decide(asked(even(20.0, waiting=12), 4)).replicas == 4


def test_a_line_that_is_gone_before_a_new_replica_works_asks_for_nothing():
    assert decide(asked(even(20.0, waiting=60), 4, start_s=10.0)).replicas == 4
    full = decide(asked(even(39.0, waiting=60), 4, start_s=10.0))
    assert full.replicas > decide(asked(even(39.0), 4, start_s=10.0)).replicas, "ten of a second are not cleared"


def test_a_burst_is_met_where_it_will_be_as_long_as_too_few_work():
    rising = Load((Stretch(80.0, 2.0), Stretch(60.0, 5.0), Stretch(20.0, 30.0)))
    now, later = asked(rising, 12, start_s=0.0), asked(rising, 12, start_s=10.0)
    assert decide(msgspec.structs.replace(now, ready=4)).replicas == 12
    assert decide(msgspec.structs.replace(later, ready=4)).replicas == 20
    assert decide(later).replicas == 10, "more than the long mean asks for, less than what might come"


def test_what_only_the_rise_of_a_burst_asked_for_goes_before_the_rest():
    rising = Load((Stretch(80.0, 2.0), Stretch(60.0, 5.0), Stretch(20.0, 30.0)))
    sizing = decide(asked(rising, 4, start_s=5.0))
    size = sizing.replicas
    sizes = []
    for second in range(1_001, 1_119):
        policy = msgspec.structs.replace(POLICY, start_s=5.0)
        sizing = decide(Inputs(float(second), size, size, policy, even(60.0), CAPACITY, sizing.memory))
        size = sizing.replicas
        sizes.append(size)
    assert set(sizes[:34]) == {19}
    assert set(sizes[34:]) == {12}, "what lasts stays for the whole stretch"


def test_nothing_goes_while_demand_rises():
    rising = Load((Stretch(20.0, 2.0), Stretch(20.0, 5.0), Stretch(20.0, 30.0), Stretch(19.0, 60.0)))
    assert decide(asked(rising, 8)).reason is Reason.STABILISING
    falling = Load((*rising.stretches[:3], Stretch(21.0, 60.0)))
    assert decide(asked(falling, 8)).reason is Reason.BELOW


def test_it_shrinks_only_after_a_whole_stretch_in_which_less_was_enough():
    memory, sizes = Memory(0.0), []
    for second in range(240):
        load = even(60.0 if second < 60 else 5.0)
        sizing = decide(Inputs(float(second), 8, 8, POLICY, load, CAPACITY, memory))
        memory = sizing.memory
        sizes.append((sizing.replicas, sizing.reason))
    first = next(second for second, (size, _) in enumerate(sizes) if size < 8)
    assert first == 179
    assert sizes[first - 1][1] is Reason.STABILISING
    assert sizes[first] == (2, Reason.BELOW)


def test_what_chance_would_ask_for_again_is_not_given_away():
    """Ten requests a second in half a minute are 300, give or take 70."""
    assert decide(asked(even(20.0), 4)).reason is Reason.STEADY
    assert decide(asked(even(19.0), 4)).reason is Reason.STEADY


@pytest.mark.parametrize("size", [1, 5, 20])
def test_missing_metrics_hold(size):
    sizing = decide(asked(UNKNOWN, size))
    assert (sizing.replicas, sizing.reason) == (size, Reason.METRICS_MISSING)


def test_after_missing_metrics_a_whole_stretch_is_watched_before_anything_shrinks():
    memory = decide(asked(UNKNOWN, 8)).memory
    inputs = Inputs(1_119.0, 8, 8, POLICY, even(5.0), CAPACITY, memory)
    sizing = decide(inputs)
    assert (sizing.replicas, sizing.reason) == (8, Reason.STABILISING)
    later = msgspec.structs.replace(inputs, now_s=1_240.0, memory=sizing.memory)
    assert decide(later).replicas < 8


def test_a_replica_that_tells_nothing_keeps_the_size_but_not_from_growing():
    part = msgspec.structs.replace(even(5.0), is_partial=True)
    assert decide(asked(part, 8)).replicas == 8
    assert decide(asked(msgspec.structs.replace(even(90.0), is_partial=True), 8)).replicas > 8


def test_unknown_capacity_holds():
    inputs = msgspec.structs.replace(asked(even(50.0), 3), capacity=NotEnoughData("no request yet"))
    assert (decide(inputs).replicas, decide(inputs).reason) == (3, Reason.CAPACITY_UNKNOWN)


def test_never_beyond_the_bounds():
    assert (decide(asked(even(900.0), 20)).replicas, decide(asked(even(900.0), 20)).reason) == (20, Reason.AT_MAX)
    assert decide(asked(even(900.0), 3)).replicas == 20
    assert decide(asked(even(0.0), 3, least=2)).replicas == 2
    assert decide(asked(even(50.0), 30)).reason is Reason.OUT_OF_BOUNDS


def test_without_a_choice_there_is_nothing_to_decide():
    assert decide(asked(even(900.0), 4, least=4, most=4)).reason is Reason.FIXED


def test_more_replicas_than_processors_are_not_asked_for():
    busy = msgspec.structs.replace(CAPACITY, cpu_s=0.1)
    inputs = msgspec.structs.replace(asked(even(90.0), 2, cores=2), capacity=busy)
    assert (decide(inputs).replicas, decide(inputs).reason) == (2, Reason.MACHINE_FULL)
    idle = msgspec.structs.replace(inputs, capacity=msgspec.structs.replace(CAPACITY, cpu_s=0.002))
    assert decide(idle).replicas > 9


def test_inputs_travel_and_give_the_same_answer():
    inputs = asked(even(50.0, waiting=4), 3)
    again = msgspec.json.decode(msgspec.json.encode(inputs), type=Inputs)
    assert decide(again) == decide(inputs)
