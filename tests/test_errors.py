"""Every error says what, where and how to fix it."""

from __future__ import annotations

import pytest

from gyroscope import errors
from gyroscope.errors import GyroscopeError, InputError, OverloadError, did_you_mean

TREE = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, GyroscopeError)]


def test_an_error_without_place_or_fix_is_one_line():
    assert str(GyroscopeError("it broke")) == "it broke"


def test_an_error_shows_place_and_fix_on_their_own_lines():
    assert str(GyroscopeError("a", where="b", fix="c")).splitlines() == ["a", "  where: b", "  fix:   c"]


@pytest.mark.parametrize("kind", TREE)
def test_every_error_is_drawn_in_the_tree_of_the_module(kind):
    assert kind.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize("kind", [InputError, OverloadError])
def test_what_a_client_meets_carries_a_status(kind):
    assert 400 <= kind("x").status < 600
    assert kind("x", status=429).status == 429


def test_a_near_word_is_offered_and_all_are_listed():
    assert did_you_mean("prot", ["port", "host"]) == "did you mean 'port'? known: host, port"


def test_no_near_word_is_offered_when_none_is_near():
    assert did_you_mean("zebra", ["port", "host"]) == "known: host, port"
