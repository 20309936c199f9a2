"""The newest rows, and what comes after them."""

from __future__ import annotations

from pathlib import Path

from tests.predictions.written import HOUR_US, MARCH_1_US, row, write

from gyroscope.predictions.reading.tail import Seen, Tail
from gyroscope.predictions.tables.table import Table


def names(seen: list[Seen]) -> list[str]:
    return [one.request_id for one in seen]


def test_the_newest_by_arrival_come_last_whatever_day_they_are_about(tmp_path: Path) -> None:
    late = MARCH_1_US + 1_000 * HOUR_US
    table = write(tmp_path / "t", [row(3, arrival_time=late), *(row(number) for number in range(60) if number != 3)])
    assert names(Tail(table).newest(3)) == ["r-58", "r-59", "r-3"]


def test_only_errors(tmp_path: Path) -> None:
    table = write(tmp_path / "t", [row(0), row(1, status=500, error="it broke", output_0=None), row(2)])
    found = Tail(table, only_errors=True).newest(5)
    assert [(one.request_id, one.error, one.outputs) for one in found] == [("r-1", "it broke", [None])]


def test_what_comes_is_told_once_and_nothing_twice(tmp_path: Path) -> None:
    path = tmp_path / "t"
    tail = Tail(write(path, [row(number) for number in range(5)]))
    assert names(tail.newest(2)) == ["r-3", "r-4"]
    assert tail.more() == []
    write(path, [row(5), row(6)])
    assert names(tail.more()) == ["r-5", "r-6"]
    # Files written anew hold what was told already; a row that was on its way for long is news.
    write(path, [row(6), row(7), row(4, request_id="late", arrival_time=MARCH_1_US + 7 * HOUR_US - 10_000_000)])
    assert names(tail.more()) == ["late", "r-7"]


def test_a_log_that_does_not_exist_yet_is_empty_and_is_followed_from_its_birth(tmp_path: Path) -> None:
    tail = Tail(Table(tmp_path / "t"))
    assert tail.newest(5) == []
    write(tmp_path / "t", [row(0)])
    assert names(tail.more()) == ["r-0"]
