"""A model that is served elsewhere: taken in, labelled, measured; killed in between, and still exactly once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.journeys.conftest import free_port, leftovers
from tests.journeys.own import call, until

import gyroscope
from gyroscope.assembly import House, down

pytestmark = pytest.mark.journey

SETTINGS = """\
home: home
door: {{port: {port}}}
monitoring: {{every_s: 0.2, reference: {{first_days: 1}}}}
"""
SIGNATURE = """\
task: binary
features:
  - {name: age, dtype: float64}
  - {name: plan, dtype: string, categories: [basic, plus]}
"""
DAYS, A_DAY = 4, 1_500
MANY = 250_000
# Every third answer is wrong, so each day's accuracy is two thirds to the last row.
ROWS = """
SELECT 'c-' || i AS id, (i % 50)::DOUBLE AS age, CASE WHEN i % 2 = 0 THEN 'basic' ELSE 'plus' END AS plan,
       CASE WHEN i % 3 = 0 THEN 0.25 ELSE 0.75 END AS score,
       TIMESTAMPTZ '2026-03-01 00:00:00+00' + to_days((i // {a_day})::INT) + to_seconds(i % {a_day}) AS happened
FROM range({n}) rows(i)
"""


class Elsewhere:
    """A started house that serves nothing, and a user's shell in its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        (folder / "gyroscope.yaml").write_text(SETTINGS.format(port=self.port))
        (folder / "signature.yaml").write_text(SIGNATURE)
        self.house = House(folder / "gyroscope.yaml")

    def start(self, *words: str) -> subprocess.Popen[str]:
        gyro = str(Path(sys.executable).parent / "gyro")
        environment = {key: value for key, value in os.environ.items() if key != "GYROSCOPE_SETTINGS"}
        return subprocess.Popen(
            [gyro, *words], cwd=self.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def gyro(self, *words: str) -> str:
        process = self.start(*words)
        out, err = process.communicate(timeout=180)
        assert process.returncode == 0, f"{words}: {out}{err}"
        return out

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        key = self.house.keys.api_key_path.read_text().strip()
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        answer = call(self.port, method, path, json.dumps(body).encode() if body else b"", headers)
        assert answer.status == 200, answer.text
        return answer.said

    def counted(self, prefix: str) -> tuple[int, int]:
        """(rows, requests) in the table whose id begins so; every attempt counts."""
        if not self.house.table("scores").files():
            return 0, 0
        sql = f"SELECT count(*), count(DISTINCT request_id) FROM attempts WHERE starts_with(request_id, '{prefix}')"
        row = gyroscope.predictions("scores", self.folder).window().sql(sql).polars().row(0)
        return row[0], row[1]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Elsewhere]:
    made = Elsewhere(tmp_path)
    made.gyro("models", "add", "scores", "--external", "--signature", "signature.yaml", "--version", "v7")
    made.gyro("up")
    try:
        yield made
    finally:
        down(made.house.settings_path)
    assert not leftovers(made.house), "processes were left behind"


ADD = ("--model", "scores", "--map", "request_id=id,output_0=score", "--event-time-column", "happened")


def test_it_is_taken_in_labelled_and_measured_exactly(elsewhere: Elsewhere) -> None:
    n = DAYS * A_DAY
    duckdb.sql(f"COPY ({ROWS.format(n=n, a_day=A_DAY)}) TO '{elsewhere.folder}/scored.parquet'")
    duckdb.sql(
        f"COPY (SELECT 'c-' || i AS request_id, 1 AS value FROM range({n}) rows(i))"
        f" TO '{elsewhere.folder}/outcomes.csv' (HEADER)"
    )
    for _ in range(2):
        told = json.loads(elsewhere.gyro("predictions", "add", "scored.parquet", *ADD, "--json"))
        assert (told["received"], told["written"], told["refused"]) == (n, n, 0)
    until(lambda: elsewhere.counted("c-") == (n, n), "recorded once each")
    elsewhere.gyro("labels", "add", "outcomes.csv", "--model", "scores")

    def labelled() -> dict[str, tuple[float, int]]:
        points = elsewhere.ask("GET", "/v1/signals?name=performance&model=scores&metric=accuracy")["points"]
        return {point["at"][:10]: (point["value"], point["n"]) for point in points if point["value"] is not None}

    expected = {f"2026-03-0{day}": (pytest.approx(2 / 3, abs=1e-12), A_DAY) for day in range(1, DAYS + 1)}
    until(lambda: {day: n for day, (_, n) in labelled().items()} == dict.fromkeys(expected, A_DAY), "measured")
    assert labelled() == expected
    status = elsewhere.ask("GET", "/v1/status")
    (model,) = status["models"]
    assert (model["replicas_wanted"], model["labels"]["joined"]) == (0, n)
    assert not [process for process in status["processes"] if process["kind"] == "replica"]


def test_killed_in_the_middle_and_added_again_each_row_is_there_once(elsewhere: Elsewhere) -> None:
    duckdb.sql(f"COPY ({ROWS.format(n=MANY, a_day=86_400)}) TO '{elsewhere.folder}/scored.parquet'")
    killed = elsewhere.start("predictions", "add", "scored.parquet", *ADD)
    until(lambda: elsewhere.counted("c-")[0] > 0 or killed.poll() is not None, "the first rows are recorded")
    assert killed.poll() is None, "it was done before it could be killed: give it more rows"
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    elsewhere.gyro("predictions", "add", "scored.parquet", *ADD)
    until(lambda: elsewhere.counted("c-")[1] == MANY, "all are recorded", patience_s=180)
    assert elsewhere.counted("c-") == (MANY, MANY)


def test_programs_send_rows_through_the_door(elsewhere: Elsewhere) -> None:
    rows = [{"request_id": f"p-{n}", "inputs": {"age": n, "plan": None}, "outputs": 0.5} for n in range(1_000)]
    for _ in range(2):
        reply = elsewhere.ask("POST", "/v1/predictions", {"model": "scores", "predictions": [*rows, {"inputs": {}}]})
        assert (reply["written"], reply["logged"], [one["row"] for one in reply["refused"]]) == (1_000, "os", [1_000])
    until(lambda: elsewhere.counted("p-") == (1_000, 1_000), "recorded once each")
