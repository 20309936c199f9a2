"""What was believed at an earlier moment: states and joined values as of then."""

from __future__ import annotations

from collections import Counter

import pytest
from tests.predictions.house import Entry, House

from gyroscope.clock import DAY_US, EventTime
from gyroscope.predictions.labels.labels import Labels
from gyroscope.records import Label

NONE = {"joined": 0, "pending": 0, "quarantined": 0, "duplicate": 0, "superseded": 0, "refused": 0}
DAY = "2013-03-01"


@pytest.fixture
def labels(house: House) -> Labels:
    return Labels(house.home, lambda _: house.versions["0a1b2c3d4e5f"].signature, wait_days=1)


def label(number: int, value: float | str = 1.0, version: int | None = None) -> Label:
    return Label(f"r-{number:06d}", value, version=version)


def values(labels: Labels, then: int | None) -> dict[str, float]:
    ids, _, found = labels.of_day("flights", DAY, as_of=None if then is None else EventTime(then))
    return dict(zip(ids.tolist(), found.tolist(), strict=True))


def test_every_moment_of_a_history_is_told_as_it_was(house: House, entry: Entry, labels: Labels) -> None:
    """At each step the counts and values are noted; later each is asked for as of then."""
    steps = [
        (lambda: labels.add("flights", [label(1, 1.0, 2), label(9)], EventTime(10))),
        (lambda: (house.write(entry(1), entry(2)), house.record(), labels.settle("flights", EventTime(20)))),
        (
            lambda: labels.add(
                "flights", [label(1, 0.0, 1), label(2, 0.0), label(2, 0.0), label(3, "bad")], EventTime(30)
            )
        ),
        (lambda: labels.add("flights", [label(1, 0.0, 3), label(9, 0.0), label(9)], EventTime(40))),
        (lambda: labels.settle("flights", EventTime(41 + DAY_US))),
        (lambda: (house.write(entry(9)), house.record(), labels.settle("flights", EventTime(42 + DAY_US)))),
    ]
    told = []
    for moment, step in zip((10, 20, 30, 40, 41 + DAY_US, 42 + DAY_US), steps, strict=True):
        step()
        told.append((moment, labels.counts("flights"), values(labels, None)))
    assert [labels.counts("flights", as_of=EventTime(moment)) for moment, _, _ in told] == [one[1] for one in told]
    assert [values(labels, moment) for moment, _, _ in told] == [one[2] for one in told]
    assert labels.counts("flights", as_of=EventTime(9)) == NONE
    assert values(labels, 19) == {}
    assert values(labels, 29) == {"r-000001": 1.0}
    assert sum(Counter(told[-1][1]).values()) == 9


def test_a_model_without_labels_has_no_history(labels: Labels) -> None:
    assert labels.counts("trains", as_of=EventTime(0)) == NONE
    assert labels.of_day("flights", DAY, as_of=EventTime(0))[0].shape == (0,)
