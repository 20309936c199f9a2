"""Labelled losses beside each other: pairs of the same requests, or the windows that both sides have."""

from __future__ import annotations

import pytest
from arro3.core import Array, DataType, Table
from tests.predictions.written import KINDS, row, write

from gyroscope.models.blocks import Blocks
from gyroscope.predictions.reading.selection import Selection
from gyroscope.records import Feature, Signature
from gyroscope.rollouts.losses import Compared, Losses

OLD, NEW = "0" * 12, "f" * 12
DAYS = 6


def compared(tmp_path, rows, signature, labels, stage) -> Compared:
    """What a log of these rows says; `labels` by number of the request."""
    table = write(tmp_path / "tables" / "flights", rows)
    kind = DataType.utf8() if any(isinstance(one, str) for one in labels.values()) else DataType.float64()
    told = Table.from_arrays(
        [
            Array([f"r-{number}" for number in labels], type=DataType.utf8()),
            Array([0] * len(labels), type=DataType.int32()),
            Array(list(labels.values()), type=kind),
        ],
        names=["request_id", "row", "label"],
    )
    losses = Losses(stage, OLD, NEW, signature, Blocks())
    answer = Selection(table, labels_of=lambda days: told).sql(losses.query).arrow()
    return losses.compared(losses.by_day(answer).values())


@pytest.fixture
def number():
    return Signature("regression", (Feature("x"),))


def test_a_canary_is_held_against_the_champion_in_the_windows_that_both_have(tmp_path, number):
    """The champion has answered for days before there was a canary."""
    rows = []
    for hour in range(24 * DAYS):
        is_new = hour >= 48 and hour % 2
        rows.append(row(hour, version=NEW if is_new else OLD, output_0=3.0 if is_new else 1.0 if hour < 48 else 2.0))
    found = compared(tmp_path, rows, number, dict.fromkeys(range(24 * DAYS), 0.0), "canary").whole
    assert found.differences == (-1.0, -1.0, -1.0), "days 3 to 5; day 6 may still grow"
    assert found.rows == (12, 12, 12)
    assert found.days == 3.0


def test_months_without_a_request_are_no_days_of_evidence(tmp_path, number):
    rows = []
    for at in (0, 24, 4_800, 4_824):
        rows.append(row(at, version=OLD, output_0=1.0))
        rows.append(row(at, variant="shadow", version=NEW, output_0=2.0))
    found = compared(tmp_path, rows, number, dict.fromkeys((0, 24, 4_800, 4_824), 0.0), "shadow").whole
    assert (found.differences, found.days) == ((-1.0, -1.0, -1.0), 3.0)


def test_a_canary_that_has_no_window_yet_says_nothing(tmp_path, number):
    rows = [row(hour, version=OLD, output_0=1.0) for hour in range(24 * DAYS)]
    assert compared(tmp_path, rows, number, {0: 0.0}, "canary").whole.differences == ()


def test_what_lists_lose_is_not_said_by_their_rows(tmp_path):
    rows = [row(hour, version=NEW if hour % 2 else OLD, output_0=1.0) for hour in range(24 * DAYS)]
    ranking = Signature("ranking", (Feature("x"),))
    found = compared(tmp_path, rows, ranking, dict.fromkeys(range(24 * DAYS), 0.0), "canary")
    assert found.whole.differences == ()


def test_classes_are_known_however_late_the_first_label_is(tmp_path, monkeypatch):
    monkeypatch.setitem(KINDS, "output_1", DataType.float64())
    classes = Signature("multiclass", (Feature("x"),), classes=("a", "b"))
    rows = []
    for at in range(1_200):
        rows.append(row(at, version=OLD, output_0=0.5, output_1=0.5))
        rows.append(row(at, variant="shadow", version=NEW, output_0=0.0, output_1=1.0))
    found = compared(tmp_path, rows, classes, dict.fromkeys(range(1_176, 1_200), "b"), "shadow")
    assert found.whole.differences == ()
    found = compared(tmp_path / "more", rows, classes, dict.fromkeys(range(1_152, 1_176), "b"), "shadow")
    assert found.whole.differences == (0.5,)
