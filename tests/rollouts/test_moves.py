"""The routes of a rollout: one champion after every step from anywhere, and nowhere a step that cannot be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gyroscope.errors import ModelError
from gyroscope.records import Route
from gyroscope.rollouts.moves import (
    back,
    challenger,
    holder,
    to_canary,
    to_champion,
    to_shadow,
    to_whole,
    without_standby,
)

STEPS = {
    "shadow": lambda routes, version, share: to_shadow(routes, version),
    "canary": to_canary,
    "champion": lambda routes, version, share: to_champion(routes),
    "holdback": lambda routes, version, share: to_champion(routes, share / 2),
    "back": lambda routes, version, share: back(routes),
    "alone": lambda routes, version, share: without_standby(routes),
}


@given(st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.sampled_from("abc"), st.floats(0.01, 1)), max_size=12))
def test_whatever_is_tried_there_is_one_champion_and_one_of_each(steps):
    routes = [Route("m", "a")]
    for step, version, share in steps:
        try:
            routes = STEPS[step](routes, version, share)
        except ModelError as refused:
            assert refused.fix
        roles = [route.role for route in routes]
        assert roles.count("champion") == 1
        assert len(set(roles)) == len(roles)
        assert len({route.version for route in routes}) == len(routes)
        assert sum(route.share for route in routes) == pytest.approx(1)
        assert not (holder(routes, "canary") and holder(routes, "shadow"))


def test_the_way_up_and_back():
    routes = to_canary(to_shadow([Route("m", "a")], "b"), "b", 0.1)
    assert challenger(routes) == "b"
    assert back(routes) == [Route("m", "a")]
    promoted = to_champion(to_canary(routes, "b", 0.5))
    assert promoted == [Route("m", "b"), Route("m", "a", 0.0, "standby")]
    assert back(promoted) == [Route("m", "a")]
    assert back(to_shadow(promoted, "c")) == promoted, "the challenger goes first, whoever stands by stays"


def test_with_a_holdback_the_champion_before_keeps_a_share_for_a_while():
    held = to_champion(to_canary([Route("m", "a")], "b", 0.5), 0.1)
    assert held == [Route("m", "b", 0.9), Route("m", "a", 0.1, "standby")]
    whole = [Route("m", "b"), Route("m", "a", 0.0, "standby")]
    assert to_whole(held) == to_champion(held, 0.1) == whole
    assert without_standby(held) == [Route("m", "b")]
    assert back(held) == [Route("m", "a")]


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (lambda: to_shadow([Route("m", "a")], "a"), "is the champion"),
        (lambda: to_shadow([], "a"), "no version is served"),
        (lambda: to_canary(to_shadow([Route("m", "a")], "b"), "c", 0.1), "b is on its way"),
        (lambda: to_champion(to_shadow([Route("m", "a")], "b")), "no canary"),
        (lambda: back([Route("m", "a")]), "none stands by"),
        (lambda: to_shadow(to_champion(to_canary([Route("m", "a")], "b", 0.5), 0.1), "c"), "still watched"),
    ],
)
def test_steps_that_cannot_be_are_refused_with_a_way_out(step, why):
    with pytest.raises(ModelError, match=why) as refused:
        step()
    assert refused.value.fix
