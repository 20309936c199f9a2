"""The budget holds, pauses grow, and only what can change is asked again."""

from __future__ import annotations

import pytest

from gyroscope.client.retries import ATTEMPTS, Budget, pause_s
from gyroscope.client.wire import Lost, Reply


def test_repeats_are_a_tenth_of_the_requests_after_the_first_ten():
    budget, had = Budget(), 0
    for _ in range(1_000):
        budget.earn()
        had += budget.spend()
    assert had == 110 - 1  # a tenth is not quite one in floats


def test_pauses_grow_and_spread():
    down = Lost("refused")
    assert pause_s(down, 1, 0.0) < pause_s(down, 1, 0.9) < pause_s(down, 2, 0.9)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_not_now_is_asked_again(status):
    assert pause_s(Reply(status, {}, b""), 1, 0.5) is not None
    assert pause_s(Reply(status, {"retry-after": "2"}, b""), 1, 0.5) >= 2
    assert pause_s(Reply(status, {"retry-after": "Wed, 21 Oct 2026"}, b""), 1, 0.5) < 1


@pytest.mark.parametrize("outcome", [Reply(422, {}, b""), Reply(500, {}, b""), Lost("time ran out", is_late=True)])
def test_what_would_be_the_same_again_is_not(outcome):
    assert pause_s(outcome, 1, 0.5) is None


def test_three_attempts_are_the_end():
    assert pause_s(Lost("refused"), ATTEMPTS - 1, 0.5) is not None
    assert pause_s(Lost("refused"), ATTEMPTS, 0.5) is None
