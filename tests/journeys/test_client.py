"""A program asks a real house with `gyroscope.Client`: forms of rows, ids, labels, a replica that dies meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from tests.journeys.own import MODEL, Own, started, until

from gyroscope import AsyncClient, Client
from gyroscope.clock import parse_event_time
from gyroscope.errors import InputError, OutputError

pytestmark = pytest.mark.journey

SIGNATURE = """
task: regression
output: value
features:
  - {name: a, dtype: float64}
  - {name: n, dtype: int64}
"""
CODE = """
class Model:
    def predict(self, matrix, columns):
        if matrix[0, 0] == -1:
            raise ValueError("no")
        return matrix[:, 0] + 10 * matrix[:, 1]
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    with started(tmp_path_factory.mktemp("client"), SIGNATURE, CODE) as own:
        yield own


@pytest.fixture
def client(own: Own) -> Iterator[Client]:
    with Client(home=own.place.settings, model=MODEL) as client:
        yield client


ROWS = {"a": np.arange(12) / 4, "n": np.arange(12)}


@pytest.mark.parametrize(
    "rows",
    [
        ROWS,
        {name: values.tolist() for name, values in ROWS.items()},
        pd.DataFrame(ROWS),
        pl.DataFrame(ROWS),
        pl.DataFrame(ROWS).to_dicts(),
        np.column_stack([ROWS["a"], ROWS["n"]]),
    ],
    ids=["arrays", "lists", "pandas", "polars", "records", "matrix"],
)
def test_every_form_of_rows_gets_the_same_answer(client: Client, rows: object):
    assert client.predict(rows).predictions.tolist() == (ROWS["a"] + 10 * ROWS["n"]).tolist()


def test_ids_times_and_labels_reach_the_log(own: Own, client: Client):
    answer = client.predict({"a": 1.5, "n": 2}, event_time="2026-03-01T00:00:00Z", entity_key="anna")
    assert (answer.predictions.tolist(), answer.version, answer.logged) == ([21.5], own.version.version, "os")
    own.recorded({answer.request_id})
    found = own.rows("epoch_us(event_time), entity_key", f"request_id = '{answer.request_id}'")
    assert found == [(parse_event_time("2026-03-01"), "anna")]
    until(lambda: client.label(answer.request_id, 20.0).counts["joined"] == 1 or None, "joined", 30)
    report = client.labels([{"request_id": answer.request_id, "value": "x"}, {"request_id": "never", "value": 1}])
    assert (report.received, [place for place, _ in report.refused]) == (2, [0])


def test_refusals_are_errors_with_a_path(client: Client):
    with pytest.raises(InputError, match=r"data\[0\]\[1\]: expected int") as raised:
        client.predict({"a": 1.0, "n": 0.5})
    assert raised.value.status in (400, 422)
    with pytest.raises(InputError):
        client.predict({"a": np.zeros(10), "n": np.zeros(10)})
    with pytest.raises(OutputError):
        client.predict({"a": -1, "n": 0})
    with pytest.raises(InputError) as raised:
        client.predict({"a": 1}, model="nobody")
    assert raised.value.status == 404


def test_a_replica_that_dies_costs_no_answer(own: Own, client: Client):
    def kill() -> None:
        os.kill(own.replicas()[0]["pid"], signal.SIGKILL)

    async def ask() -> list[float]:
        async with AsyncClient(home=own.place.settings, model=MODEL) as many:
            answers = []
            for number in range(400):
                answers.append(await many.predict({"a": number, "n": 0}, request_id=f"k{number}"))
            return [float(answer.predictions[0]) for answer in answers]

    timer = threading.Timer(0.2, kill)
    timer.start()
    assert asyncio.run(ask()) == list(map(float, range(400)))
    timer.join()
    ids = {f"k{number}" for number in range(400)}
    own.recorded(ids)
    answered = own.rows("count(DISTINCT request_id)", "request_id LIKE 'k%' AND status = 200")
    assert answered == [(400,)]


def test_the_settings_file_is_found(own: Own, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("GYROSCOPE_SETTINGS", raising=False)
    monkeypatch.chdir(own.place.settings.parent)
    with Client() as client:
        assert client.predict({"a": 1, "n": 0}, model=MODEL).predictions.tolist() == [1.0]
