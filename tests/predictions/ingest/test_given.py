"""Rows that were made elsewhere, held against a signature one by one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

from gyroscope.clock import EventTime
from gyroscope.predictions.ingest.given import Checked, Checker, Given
from gyroscope.records import Feature, Signature

NOW = EventTime(1_700_000_000_000_000)
MARCH_1_US = 1362096000000000
SIGNATURE = Signature(
    "binary",
    (
        Feature("age"),
        Feature("plan", "string", ("basic", "plus")),
        Feature("visits", "int64", nullable=False),
        Feature("is_new", "bool"),
    ),
)
GOOD = {"age": 41.5, "plan": "plus", "visits": 3, "is_new": True}


def check(signature: Signature = SIGNATURE, n: int = 1, **columns: Any) -> Checked:
    """`n` good rows, with whole columns exchanged; `inputs` exchanges single features."""
    inputs = {name: [value] * n for name, value in GOOD.items()} | columns.pop("inputs", {})
    plain: dict[str, Any] = {"request_id": [f"r-{row}" for row in range(n)], "outputs": [[0.25] * n], **columns}
    return Checker(signature).check(Given(inputs=inputs, **plain), NOW)


def test_a_row_becomes_the_entry_that_a_replica_would_have_written():
    checked = check(
        event_time=["2013-03-01T01:00:00+01:00"],
        latency_ms=[1.5],
        entity_key=["customer 7"],
        variant=["canary"],
        status=[201],
    )
    (entry,) = checked.entries
    assert checked.refused == []
    assert (entry.request_id, entry.event_time, entry.arrival_time) == ("r-0", MARCH_1_US, NOW)
    assert (entry.latency_ns, entry.status, entry.entity_key, entry.variant) == (1_500_000, 201, "customer 7", "canary")
    assert entry.matrix is not None
    assert entry.outputs is not None
    assert entry.matrix.tolist() == [[41.5, 1.0, 3.0, 1.0]]
    assert entry.outputs.tolist() == [[0.25]]
    assert (entry.unseen, entry.ingested, entry.weight) == ([], True, 1)


def test_one_bad_row_does_not_refuse_its_neighbours():
    ages = [1.0, "old", None, 4.0]
    checked = check(n=4, inputs={"age": ages}, outputs=[[0.1, 0.2, 0.3, 1.5]])
    assert [entry.request_id for entry in checked.entries] == ["r-0", "r-2"]
    assert checked.refused == [(1, "'age' must be a number, not 'old'"), (3, "output 0 is no probability")]


@pytest.mark.parametrize(
    ("feature", "value", "reason"),
    [
        ("age", "41", "must be a number"),
        ("age", True, "must be a number"),
        ("age", float("inf"), "not finite"),
        ("age", 10**400, "not finite"),
        ("age", [1.0], "must be a number"),
        ("age", msgspec.UNSET, "is missing"),
        ("plan", 3, "must be a text"),
        ("plan", "x" * 16_001, "over 16000 characters"),
        ("visits", 1.5, "whole number"),
        ("visits", 2**60, "whole number"),
        ("visits", None, "may not be missing"),
        ("visits", float("nan"), "may not be missing"),
        ("is_new", 2, "true or false"),
        ("is_new", "yes", "must be a number"),
    ],
)
def test_a_value_of_another_kind_refuses_its_row(feature: str, value: Any, reason: str):
    checked = check(n=2, inputs={feature: [value, GOOD[feature]]})
    assert [entry.request_id for entry in checked.entries] == ["r-1"]
    assert [row for row, _ in checked.refused] == [0]
    assert reason in checked.refused[0][1]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("request_id", ""),
        ("request_id", None),
        ("request_id", 7),
        ("request_id", "x" * 129),
        ("request_id", "line\nbreak"),
        ("request_id", "ümlaut"),
        ("event_time", "soon"),
        ("event_time", 1e15),
        ("event_time", True),
        ("event_time", "1_000"),
        ("latency_ms", -1),
        ("latency_ms", "fast"),
        ("status", 99),
        ("status", 200.5),
        ("status", float("inf")),
        ("entity_key", 5),
        ("variant", "best"),
        ("error", 5),
        ("row", 1),
    ],
)
def test_what_is_said_about_a_row_is_checked_too(column: str, value: Any):
    good = {"request_id": "good", "entity_key": "e", "variant": "live", "error": "", "row": 0}.get(column)
    checked = check(n=2, **{column: [value, good]})
    assert len(checked.entries) == 1
    assert [row for row, _ in checked.refused] == [0]


@pytest.mark.parametrize("outputs", [[[None]], [["0.5"]], [[float("nan")]], []])
def test_an_answer_is_needed_unless_the_row_failed(outputs: list[list[Any]]):
    assert check(outputs=outputs).entries == []
    (entry,) = check(outputs=[[None]], status=[500], error=["it broke"]).entries
    assert (entry.outputs, entry.error) == (None, "it broke")


def test_a_row_that_failed_may_lack_its_inputs():
    inputs = {name: [msgspec.UNSET] for name in GOOD}
    (entry,) = check(outputs=[[None]], status=[422], inputs=inputs).entries
    assert entry.matrix is None
    (entry,) = check(outputs=[[None]], status=[422], inputs={**inputs, "plan": ["free"]}).entries
    assert entry.matrix is not None
    assert entry.unseen == [(0, 1, "free")]


def test_texts_without_a_code_stay_texts():
    checked = check(n=3, inputs={"plan": ["free", None, "basic"]})
    assert [entry.unseen for entry in checked.entries] == [[(0, 1, "free")], [], []]
    codes = [entry.matrix[0, 1] for entry in checked.entries if entry.matrix is not None]
    assert [codes[2], np.isnan(codes[0]), np.isnan(codes[1])] == [0.0, True, True]


@pytest.mark.parametrize(
    "values",
    [
        [1.0, None],
        [np.float32(1), np.nan],
        [Decimal(1), None],
        [np.int64(1), pd.NA],
        np.array([1.0, np.nan]),
        np.array([1.0, np.nan], dtype=np.float32),
        (1, None),
    ],
)
def test_numbers_come_in_many_kinds(values: Any):
    checked = check(n=2, inputs={"age": values})
    found = [entry.matrix[0, 0] for entry in checked.entries if entry.matrix is not None]
    assert (found[0], np.isnan(found[1])) == (1.0, True)


@pytest.mark.parametrize(
    "value",
    [
        "2013-03-01",
        "2013-02-28T19:00:00-05:00",
        "1362096000",
        1362096000,
        1362096000.0,
        datetime(2013, 3, 1, tzinfo=UTC),
        datetime(2013, 3, 1),  # noqa: DTZ001  # without a zone it is UTC
        datetime(2013, 3, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        date(2013, 3, 1),
        pd.Timestamp("2013-03-01"),
    ],
)
def test_times_come_in_many_kinds(value: Any):
    assert check(event_time=[value]).entries[0].event_time == MARCH_1_US


def test_times_in_arrays_and_missing_ones():
    times = np.array(["2013-03-01", "NaT"], dtype="datetime64[ns]")
    assert [entry.event_time for entry in check(n=2, event_time=times).entries] == [MARCH_1_US, NOW]
    assert [entry.event_time for entry in check(n=2, event_time=[None, 1362096000]).entries] == [NOW, MARCH_1_US]


def test_several_outputs_go_in_their_order():
    signature = msgspec.structs.replace(SIGNATURE, task="multiclass", classes=("a", "b", "c"))
    (entry,) = check(signature, outputs=[[0.5], [0.3], [0.2]]).entries
    assert entry.outputs is not None
    assert entry.outputs.tolist() == [[0.5, 0.3, 0.2]]
    assert "output 2 of 3 is missing" in check(signature, outputs=[[0.5], [0.5]]).refused[0][1]


def test_a_probability_may_be_off_by_rounding_and_a_value_may_be_anything():
    (entry,) = check(outputs=[[1 + 1e-7]]).entries
    assert entry.outputs is not None
    assert entry.outputs.tolist() == [[1.0]]
    regression = msgspec.structs.replace(SIGNATURE, task="regression")
    (entry,) = check(regression, outputs=[[-1e6]]).entries
    assert entry.outputs is not None
    assert entry.outputs.tolist() == [[-1e6]]


def test_a_feature_of_which_the_log_holds_nothing_need_not_be_sent():
    secret = Feature("secret", role="drop")
    signature = msgspec.structs.replace(SIGNATURE, features=(*SIGNATURE.features, secret))
    (entry,) = check(signature, inputs={"secret": [5.0]}).entries
    assert entry.matrix is not None
    assert np.isnan(entry.matrix[0, 4])
    assert len(check(signature).entries) == 1


def test_no_rows_are_no_fault():
    assert check(n=0) == Checked([], [])
