"""Segments that are written to while they are read."""

from __future__ import annotations

import os

import pytest
from tests.predictions.house import Entry, House

from gyroscope.predictions.segments import waiting
from gyroscope.predictions.segments.copy import segment_copy
from gyroscope.predictions.segments.scan import scan
from gyroscope.predictions.segments.waiting import Segments

PAGE = 4_096


def test_pages_that_are_older_than_those_behind_them_are_no_damage(
    house: House, entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read that the kernel breaks off between two pages sees the writer's place before and after it moved."""
    writer = house.log()
    for number in range(20):
        writer.append(entry(number))
    path = next(house.folder.glob("*.seg"))
    written = scan(path.read_bytes(), segment=int(path.stem.rpartition("-")[2], 16), sealed=False).end
    whole = os.pread
    is_first = True

    def torn(fd: int, size: int, at: int) -> bytes:
        nonlocal is_first
        if size <= PAGE or not is_first:
            return whole(fd, size, at)
        is_first = False
        begin = whole(fd, (written // PAGE + 1) * PAGE, at)
        for number in range(20, 100):
            writer.append(entry(number))
        return begin + whole(fd, size - len(begin), at + len(begin))

    monkeypatch.setattr(waiting.os, "pread", torn)
    (piece,) = Segments([house.folder]).read({}).pieces
    assert not is_first
    assert piece.damages == []
    assert len(piece.scan.offsets) == 100


@pytest.mark.parametrize("count", [3, 60])
def test_a_copy_of_a_live_segment_holds_what_is_whole(house: House, entry: Entry, count: int) -> None:
    writer = house.log()
    for number in range(count):
        writer.append(entry(number))
    path = next(house.folder.glob("*.seg"))
    found = scan(segment_copy(path), segment=int(path.stem.rpartition("-")[2], 16), sealed=True)
    assert (len(found.offsets), found.damages) == (count, [])


def test_a_batch_has_so_many_rows_at_most(house: House, entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "BATCH_ROWS", 25)
    house.write(*(entry(number, rows=10) for number in range(7)))
    segments, offsets, seen = Segments([house.folder]), {}, []
    while True:
        pieces, is_more = segments.read(offsets)
        seen.append(sum(len(piece.scan.offsets) for piece in pieces))
        assert [piece.damages for piece in pieces] == [[] for _ in pieces]
        offsets |= {piece.name: piece.end for piece in pieces}
        if not is_more:
            break
    assert seen == [2, 2, 2, 1]
    assert [piece.done for piece in pieces] == [True]
