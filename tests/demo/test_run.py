"""Which month a replay may start with."""

from __future__ import annotations

import pytest

from gyroscope.demo.run import month_of
from gyroscope.errors import InputError


@pytest.mark.parametrize(("name", "month"), [("March", 3), (" jun ", 6), ("11", 11), ("february", 2)])
def test_a_month_by_name_or_number(name, month):
    assert month_of(name) == month


@pytest.mark.parametrize("name", ["January", "December", "13", "Smarch", ""])
def test_another_is_refused_in_words(name):
    with pytest.raises(InputError, match="cannot start with"):
        month_of(name)
