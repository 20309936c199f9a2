"""Sums of a model's log by day: a day is read again when its files, its labels or what is asked of it have changed.

What a training would be given and the losses of a challenger are both added up from here, so that neither costs more
with every day that was recorded. What a sum is, and how days are read, is for those who ask.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, timedelta
from itertools import groupby
from typing import Generic, TypeVar

import msgspec

from gyroscope.assembly.house import House
from gyroscope.errors import StoreError

Sums = TypeVar("Sums")


class Key(msgspec.Struct, frozen=True):
    """What a day's sums follow from: files, labels and which they may be, and what is asked."""

    files: tuple[str, ...]
    labels: int
    classes: tuple[str, ...]
    asked: str


class Days(Generic[Sums]):
    """The sums of one model; for one thread at a time.

    `read` gives the sums of some days that follow each other, for what is asked. `reach`: how many days on either side
    of a day its sums may hang on.
    """

    def __init__(
        self, house: House, model: str, read: Callable[[Sequence[str], str], Mapping[str, Sums]], reach: int = 0
    ) -> None:
        self._house = house
        self._model = model
        self._table = house.table(model)
        self._read = read
        self._near = range(-reach, reach + 1)
        self._known: dict[str, tuple[Key, Sums | None]] = {}

    def files(self) -> dict[str, tuple[str, ...]]:
        """By day; none where the table cannot be read, of which others tell."""
        found: dict[str, tuple[str, ...]] = {}
        with suppress(StoreError):
            for file in self._table.files():
                found[file.day] = (*found.get(file.day, ()), file.path)
        return found

    def sums(self, files: Mapping[str, tuple[str, ...]], asked: Mapping[str, str]) -> list[Sums]:
        """Of the days of which something is asked, oldest first, but those that have none."""
        labels = self._house.labels.revisions(self._model)
        classes = self._house.signature_of(self._model).classes
        keys = {
            day: Key(
                tuple(file for by in self._near for file in files.get(beside(day, by), ())),
                labels.get(day, 0),
                classes,
                asked[day],
            )
            for day in sorted(asked)
        }
        known = {day: one for day, one in self._known.items() if keys.get(day) == one[0]}
        for is_known, query, days in _runs(keys, known):
            found = {} if is_known else self._read(days, query)
            known |= {day: (keys[day], found.get(day)) for day in days if not is_known}
        self._known = known
        return [sums for day in keys if (sums := known[day][1]) is not None]


def beside(day: str, by: int) -> str:
    """The day so many days later.

    >>> beside("2013-03-01", -1)
    '2013-02-28'
    """
    return (date.fromisoformat(day) + timedelta(days=by)).isoformat()


def _runs(keys: Mapping[str, Key], known: Collection[str]) -> Iterator[tuple[bool, str, list[str]]]:
    """Days that follow each other and are alike: whether they are known, what is asked of them, and which they are."""
    for (is_known, asked), days in groupby(keys, lambda day: (day in known, keys[day].asked)):
        yield is_known, asked, list(days)
