"""What rows hold: types, errors, days of their zone, and versions with other features side by side."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from tests.predictions.house import Entry, House

from gyroscope.clock import day_of
from gyroscope.records import Feature, Signature


def test_rows_are_typed_and_fall_on_the_day_of_their_zone(house: House, entry: Entry) -> None:
    writer = house.log()
    before, after = entry(1, at=1362114000000000 - 1), entry(2, at=1362114000000000, client_id="c", entity_key="N1")
    after.matrix[0, :] = np.nan
    strange = entry(3, rows=2)
    strange.unseen = [(1, 1, "ZZ")]
    for some in (before, after, strange):
        writer.append(some)
    assert house.record() == 4
    columns = "row, day, feature_distance, feature_carrier, feature_hour, feature_is_weekend, output_0"
    assert house.rows(columns) == [
        (0, "2013-02-28", 1.5, "UA", 1, True, 0.25),
        (0, "2013-03-01", None, None, None, None, 0.25),
        (0, "2013-03-01", 1.5, "AA", 3, True, 0.25),
        (1, "2013-03-01", 1.5, "ZZ", 3, True, 0.25),
    ]
    columns = "status, error, version, replica, client_id, entity_key, latency_us, epoch_us(event_time)"
    assert house.rows(columns, "request_id = 'r-000002'") == [
        (200, None, "0a1b2c3d4e5f", "flights-0a1b2c3d4e5f-0", "c", "N1", 1_500.0, 1362114000000000)
    ]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/St_Johns", "Europe/London"])
def test_days_are_exact_at_midnight_everywhere(house: House, entry: Entry, zone: str) -> None:
    house.zone = zone
    writer = house.log()
    moments = [1364688000000000 + minute * 60_000_000 - 1 + edge for minute in range(0, 2_880, 15) for edge in (0, 1)]
    for number, at in enumerate(moments):
        writer.append(entry(number, at=at))
    house.record()
    assert house.rows("epoch_us(event_time), day") == [(at, day_of(at, zone)) for at in moments]


def test_errors_are_rows(house: House, entry: Entry) -> None:
    writer = house.log()
    writer.append(entry(1, status=422))
    writer.append(entry(2))
    assert house.record() == 2
    assert house.rows("status, error, feature_distance, feature_carrier, output_0, answered") == [
        (422, "it broke", None, None, None, True),
        (200, None, 1.5, "B6", 0.25, True),
    ]


def test_the_error_of_a_request_stands_on_its_first_row(house: House, entry: Entry) -> None:
    writer = house.log()
    for number, rows in ((1, 3), (2, 1), (3, 2)):
        some = entry(number, rows=rows, entity_key=f"{number}" * 256)
        some.status, some.error = 500, f"{number}" * 4_096
        writer.append(some)
    assert house.record() == 6
    assert house.rows("row, error[:2], length(error), entity_key = request_id[-1:].repeat(256)") == [
        (0, "11", 4_096, True), (1, None, None, True), (2, None, None, True),
        (0, "22", 4_096, True),
        (0, "33", 4_096, True), (1, None, None, True),
    ]  # fmt: skip


def test_two_versions_with_other_features_share_one_table(house: House, entry: Entry) -> None:
    features = (Feature("distance", dtype="string", categories=("near", "far")), Feature("new"))
    signature = Signature("multiclass", features, classes=("a", "b"))
    second = msgspec.structs.replace(house.versions["0a1b2c3d4e5f"], version="ffffffffffff", signature=signature)
    house.versions["ffffffffffff"] = second
    other = entry(2)
    other.matrix, other.outputs = np.array([[1.0, 9.0]]), np.array([[0.3, 0.7]])
    house.write(entry(1))
    house.record()
    house.write(entry(3))
    house.write(other, version=second)
    assert house.record() == 2
    house.write(entry(4))
    assert house.record() == 1
    names = "feature_distance, feature_distance__text, feature_new, feature_hour, output_0, output_1"
    assert house.rows(names) == [
        (1.5, None, None, 1, 0.25, None),
        (None, "far", 9.0, None, 0.3, 0.7),
        (1.5, None, None, 3, 0.25, None),
        (1.5, None, None, 4, 0.25, None),
    ]
