"""Which rows become a reference, from counts alone."""

from __future__ import annotations

import pytest

from gyroscope.clock import DAY_US, EventTime, parse_event_time
from gyroscope.models import Blocks
from gyroscope.monitoring.cold_start import Span, first_span
from gyroscope.monitoring.fold import Cell
from gyroscope.records import NotEnoughData, Window
from gyroscope.settings import Reference

BLOCKS = Blocks("UTC", "1d")
START = parse_event_time("2013-03-01")
GRACE = DAY_US // 20


def cells(*counts):
    """Scored rows by day from the first on; None leaves the day out."""
    return {Cell("v", EventTime(START + day * DAY_US), str(day)): n for day, n in enumerate(counts) if n is not None}


def span(days, rows=0):
    return Span(Window(START, EventTime(START + days * DAY_US)), rows)


def at(days, grace=0):
    return EventTime(START + days * DAY_US + grace)


def test_days_are_complete_when_their_last_window_has_closed():
    wanted, counted = Reference(first_days=2), cells(100, 100, 100)
    assert isinstance(first_span(counted, wanted, BLOCKS, at(2)), NotEnoughData)
    assert first_span(counted, wanted, BLOCKS, at(2, GRACE * 2)) == span(2)


def test_days_without_predictions_count_and_later_rows_do_not():
    assert first_span(cells(100, None, None, 50), Reference(first_days=3), BLOCKS, at(9)) == span(3)


def test_days_with_next_to_nothing_are_followed_by_more():
    assert first_span(cells(5, 5, 10, 15, 99), Reference(first_days=2), BLOCKS, at(9)) == span(4)


def test_rows_end_with_the_window_that_brings_the_last_of_them():
    wanted = Reference(first_rows=150)
    assert first_span(cells(100, 100, 100), wanted, BLOCKS, at(9)) == span(2, 150)


@pytest.mark.parametrize("wanted", [Reference(first_days=2), Reference(first_rows=200)])
def test_what_is_missing_is_said(wanted):
    found = first_span(cells(5), wanted, BLOCKS, at(9))
    assert isinstance(found, NotEnoughData) and "5 of its first" in found.reason
    assert isinstance(first_span({}, wanted, BLOCKS, at(9)), NotEnoughData)
