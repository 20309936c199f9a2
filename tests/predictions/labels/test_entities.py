"""Labels of entities: the newest prediction at or before, whichever came first."""

from __future__ import annotations

import itertools

import pytest
from tests.predictions.house import HOUR_US, MARCH_1_US, Entry, House

from gyroscope.clock import DAY_US, EventTime
from gyroscope.predictions.labels.labels import Labels
from gyroscope.records import Label

NOW = EventTime(1_700_000_000_000_000)
NONE = {"joined": 0, "pending": 0, "quarantined": 0, "duplicate": 0, "superseded": 0, "refused": 0}


@pytest.fixture
def labels(house: House) -> Labels:
    return Labels(house.home, lambda _: house.versions["0a1b2c3d4e5f"].signature, horizon_days=3)


def said(hour: float, value: float = 1.0, entity: str = "ann", **more: int) -> Label:
    at = EventTime(MARCH_1_US + round(hour * HOUR_US))
    return Label("", value, entity_key=entity, event_time=at, **more)  # type: ignore[arg-type]


def joined(labels: Labels) -> dict[tuple[str, int], float]:
    found = {}
    for day in range(1, 9):
        for request_id, row, value in zip(*labels.of_day("flights", f"2013-03-0{day}"), strict=True):
            found[request_id, int(row)] = float(value)
    return found


def test_a_label_joins_the_newest_prediction_at_or_before_its_time(house: House, entry: Entry, labels: Labels) -> None:
    house.write(*(entry(number, entity_key="ann") for number in (1, 3, 30)), entry(2, entity_key="bob"))
    house.record()
    assert labels.add("flights", [said(2.9), said(30, 0.0), said(29, entity="bob")], NOW).counts == NONE | {
        "pending": 3
    }
    assert labels.settle("flights", NOW) == {"2013-03-01", "2013-03-02"}
    assert joined(labels) == {("r-000001", 0): 1.0, ("r-000030", 0): 0.0, ("r-000002", 0): 1.0}
    assert labels.counts("flights") == NONE | {"joined": 3}


def test_nothing_before_or_too_long_ago_waits_and_is_quarantined(house: House, entry: Entry, labels: Labels) -> None:
    house.write(entry(10, entity_key="ann"))
    house.record()
    labels.add("flights", [said(9.9), said(10 + 72.1), said(20, entity="eve")], NOW)
    assert labels.settle("flights", NOW) == set()
    assert labels.counts("flights") == NONE | {"pending": 3}
    labels.settle("flights", EventTime(NOW + 31 * DAY_US))
    assert labels.counts("flights") == NONE | {"quarantined": 3}


def test_a_failed_request_and_another_row_are_no_prediction(house: House, entry: Entry, labels: Labels) -> None:
    house.write(entry(1, entity_key="ann", rows=2), entry(2, entity_key="ann", status=500))
    house.record()
    labels.add("flights", [said(3), said(3, row=1), said(3, row=2)], NOW)
    labels.settle("flights", NOW)
    assert joined(labels) == {("r-000001", 0): 1.0, ("r-000001", 1): 1.0}
    assert labels.counts("flights") == NONE | {"joined": 2, "pending": 1}


def test_what_a_canary_answered_is_a_prediction_and_what_a_shadow_said_is_none(
    house: House, entry: Entry, labels: Labels
) -> None:
    house.write(entry(1, entity_key="ann", variant="canary"), entry(2, entity_key="ann", variant="shadow"))
    house.record()
    labels.add("flights", [said(3)], NOW)
    labels.settle("flights", NOW)
    assert joined(labels) == {("r-000001", 0): 1.0}


def test_a_nearer_prediction_that_comes_later_takes_the_label_over(house: House, entry: Entry, labels: Labels) -> None:
    house.write(entry(1, entity_key="ann"))
    house.record()
    labels.add("flights", [said(30), Label("r-000001", 0.0, version=1)], NOW)
    assert labels.settle("flights", NOW) == {"2013-03-01"}
    assert joined(labels) == {("r-000001", 0): 0.0}, "a version beats arrival"
    labels.restated("flights", {"2013-03-01"})
    house.write(entry(28, entity_key="ann"))
    house.record()
    assert labels.settle("flights", NOW) == {"2013-03-02"}
    assert joined(labels) == {("r-000001", 0): 0.0, ("r-000028", 0): 1.0}
    assert labels.counts("flights") == NONE | {"joined": 2}
    house.write(entry(2, entity_key="ann"))
    house.record()
    labels.settle("flights", NOW)
    assert ("r-000028", 0) in joined(labels), "one farther off changes nothing"


def test_the_label_that_waited_behind_wins_when_the_other_moves_on(house: House, entry: Entry, labels: Labels) -> None:
    house.write(entry(1, entity_key="ann"))
    house.record()
    labels.add("flights", [said(5, 1.0, labeled_at=7), said(6, 0.0, labeled_at=8)], NOW)
    labels.settle("flights", NOW)
    assert (joined(labels), labels.counts("flights")) == ({("r-000001", 0): 0.0}, NONE | {"joined": 1, "superseded": 1})
    labels.restated("flights", {"2013-03-01"})
    house.write(entry(5, at=MARCH_1_US + 5 * HOUR_US + 1, entity_key="ann"))
    house.record()
    assert labels.settle("flights", NOW) == {"2013-03-01"}, "both rows lie in one day"
    assert joined(labels) == {("r-000001", 0): 1.0, ("r-000005", 0): 0.0}


def test_the_same_statement_is_a_duplicate_before_and_after_it_is_joined(
    house: House, entry: Entry, labels: Labels
) -> None:
    labels.add("flights", [said(2), said(2)], NOW)
    labels.settle("flights", NOW)
    house.write(entry(1, entity_key="ann"))
    house.record()
    labels.settle("flights", NOW)
    assert labels.add("flights", [said(2)], NOW).counts == NONE | {"duplicate": 1}
    assert labels.counts("flights") == NONE | {"joined": 1, "duplicate": 2}


def test_a_request_answered_anew_at_another_time_is_looked_for_anew(house: House, entry: Entry, labels: Labels) -> None:
    house.write(entry(1, entity_key="ann"), entry(3, entity_key="ann"))
    house.record()
    labels.add("flights", [said(4)], NOW)
    labels.settle("flights", NOW)
    assert joined(labels) == {("r-000003", 0): 1.0}
    house.write(entry(3, at=MARCH_1_US + 9 * HOUR_US, arrival=1_800_000_000_000_000, entity_key="ann"))
    house.record()
    labels.settle("flights", NOW)
    assert joined(labels) == {("r-000001", 0): 1.0}


def test_without_an_event_time_the_time_of_the_label_or_of_its_arrival_counts(
    house: House, entry: Entry, labels: Labels
) -> None:
    house.write(entry(1, entity_key="ann"), entry(5, entity_key="ann"))
    house.record()
    hours = MARCH_1_US + 3 * HOUR_US, MARCH_1_US + 6 * HOUR_US
    labels.add("flights", [Label("", 0.0, labeled_at=EventTime(hours[0]), entity_key="ann")], NOW)
    labels.add("flights", [Label("", 1.0, entity_key="ann")], EventTime(hours[1]))
    labels.settle("flights", NOW)
    assert joined(labels) == {("r-000001", 0): 0.0, ("r-000005", 0): 1.0}


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (Label("r", 1.0, entity_key="ann"), "not by both"),
        (Label("r", 1.0, event_time=EventTime(1)), "belongs to an entity_key"),
        (Label("", 1.0, entity_key="x" * 513), "entity_key must have"),
        (Label("", 1.0, entity_key="a\0b"), "without zeros"),
        (Label("a\0b", 1.0), "without zeros"),
        (Label("", 1.0, entity_key="ann", event_time=EventTime(2**70)), "64 bits"),
    ],
)
def test_what_names_nothing_or_two_things_is_refused(labels: Labels, wrong: Label, reason: str) -> None:
    report = labels.add("flights", [wrong], NOW)
    assert report.counts == NONE | {"refused": 1}
    assert reason in report.refused[0][1]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_any_order_of_labels_and_predictions_ends_the_same(
    house: House, entry: Entry, labels: Labels, order: tuple[int, ...]
) -> None:
    """Three steps: an early prediction, a nearer one, the labels; whichever comes first."""
    steps = [
        lambda: house.write(entry(1, entity_key="ann")),
        lambda: house.write(entry(3, entity_key="ann"), entry(2, entity_key="bob")),
        lambda: labels.add(
            "flights", [said(4, labeled_at=1), said(3.5, 0.0, labeled_at=2), said(2, labeled_at=1)], NOW
        ),
    ]
    for step in order:
        steps[step]()
        house.record()
        labels.settle("flights", NOW)
    assert joined(labels) == {("r-000001", 0): 1.0, ("r-000003", 0): 0.0}
    assert labels.counts("flights") == NONE | {"joined": 2, "superseded": 1}


def test_a_batch_of_both_kinds_balances(house: House, entry: Entry, labels: Labels) -> None:
    house.write(*(entry(number, entity_key=f"e{number}") for number in range(40)))
    house.record()
    batch = [said(50, entity=f"e{number}") for number in range(40)]
    batch += [Label(f"r-{number:06d}", 0.0, version=1) for number in range(0, 40, 2)]
    labels.add("flights", batch, NOW)
    labels.settle("flights", NOW)
    assert labels.counts("flights") == NONE | {"joined": 40, "superseded": 20}
    assert sum(joined(labels).values()) == 20
