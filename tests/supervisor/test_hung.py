"""When a process is killed for hanging, and when it is spared."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gyroscope.supervisor.hung import Signs, hung_reason

S = 1_000_000_000
READY = Signs("replica", started_ns=S, is_ready=True, calm_ns=0, ready_ns=2 * S, beat_ns=100 * S)


def after(signs: Signs, seconds: float) -> str:
    return hung_reason(signs, round((100 + seconds) * S))


def test_silence_counts_only_with_nothing_in_hand() -> None:
    assert after(READY, 0.5) == ""
    assert after(READY, 0.51) == "no sign of life for 0.5 s with nothing in hand"
    assert after(replace(READY, deadline_ns=110 * S), 9.0) == ""


def test_one_that_is_not_let_run_is_given_longer() -> None:
    starved = replace(READY, is_starved=True)
    assert after(starved, 2.9) == ""
    assert after(starved, 3.1) == "no sign of life for 3.1 s with nothing in hand"
    assert after(replace(starved, stopped_ns=100 * S), 0.5) != ""


def test_an_item_has_half_a_second_past_its_deadline() -> None:
    busy = replace(READY, deadline_ns=101 * S)
    assert after(busy, 1.5) == ""
    assert after(busy, 1.6) == "0.6 s past its deadline"


@pytest.mark.parametrize(("kind", "patience"), [("replica", 0.4), ("door", 0.4), ("service", 10.0)])
def test_stopped_by_a_signal_even_with_something_in_hand(kind: str, patience: float) -> None:
    stopped = replace(READY, kind=kind, stopped_ns=100 * S, deadline_ns=200 * S)
    assert after(stopped, patience) == ""
    assert "stopped by a signal" in after(stopped, patience + 0.1)


def test_sixty_seconds_to_become_ready() -> None:
    starting = Signs("service", started_ns=100 * S, is_ready=False, calm_ns=0)
    assert after(starting, 60.0) == ""
    assert after(starting, 61.0) == "not ready 61.0 s after its start"


def test_ready_without_a_first_beat_is_given_time_for_one() -> None:
    assert after(replace(READY, beat_ns=0, ready_ns=100 * S), 0.4) == ""
    assert after(replace(READY, beat_ns=0, ready_ns=100 * S), 0.6) != ""


def test_only_replicas_are_judged_by_their_pulse() -> None:
    assert after(replace(READY, kind="service", deadline_ns=1), 1000.0) == ""


@pytest.mark.parametrize(
    "signs",
    [READY, replace(READY, deadline_ns=101 * S), replace(READY, stopped_ns=100 * S), replace(READY, is_ready=False)],
)
def test_nobody_is_blamed_for_the_time_of_a_stall(signs: Signs) -> None:
    assert after(signs, 500.0) != ""
    assert after(replace(signs, calm_ns=600 * S), 500.3) == ""
