"""Labels that nobody sends: control reads them from files and a database, joins them by id and by entity."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.journeys.own import Own, started, until

pytestmark = pytest.mark.journey

SIGNATURE = "task: binary\nfeatures:\n  - {name: age, dtype: float64}\n"
CODE = "class Model:\n    def predict(self, matrix, columns):\n        return matrix[:, 0] * 0 + 0.5\n"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Own]:
    with sqlite3.connect(tmp_path / "shop.db") as shop:
        shop.execute("CREATE TABLE outcomes(customer TEXT, churned INTEGER, seq INTEGER)")
    shop.close()
    sources = {
        "files": {"model": "odd", "path": str(tmp_path / "labels" / "*.csv"), "every_s": 1},
        "shop": {
            "model": "odd",
            "url": f"sqlite:///{tmp_path}/shop.db",
            "query": "SELECT customer, churned, seq FROM outcomes WHERE seq > :last",
            "columns": {"entity_key": "customer", "value": "churned"},
            "cursor": "seq",
            "start": 0,
            "every_s": 1,
        },
    }
    (tmp_path / "labels").mkdir()
    with started(tmp_path, SIGNATURE, CODE, label_sources=sources) as made:
        yield made


def test_what_lies_in_the_sources_is_joined(own: Own, tmp_path: Path) -> None:
    for number in range(20):
        headers = {"X-Entity-Key": f"customer-{number}"} if number < 10 else {}
        assert own.ask(30.0, request_id=f"r{number}", **headers).status == 200
    own.recorded({f"r{number}" for number in range(20)})
    lines = [f"r{number},1" for number in range(10, 20)]
    (tmp_path / "labels" / "a.csv").write_text(
        "\n".join(["request_id,value", *lines, "r1,1,too many", "r2,none"]) + "\n"
    )
    with sqlite3.connect(tmp_path / "shop.db") as shop:
        shop.executemany("INSERT INTO outcomes VALUES(?, 1, ?)", [(f"customer-{n}", n + 1) for n in range(10)])
    shop.close()

    def counts() -> dict[str, int]:
        return own.house.labels.counts("odd")

    whole = {"joined": 20, "refused": 2}
    until(lambda: {state: count for state, count in counts().items() if count} == whole, "all labels joined or refused")
    assert sorted(row for row, _, _ in own.house.labels.refused("odd")) == [12, 13]
    entity = {"model": "odd", "labels": [{"entity_key": "customer-3", "value": 0, "version": 1}]}
    assert own.post("/v1/labels", json.dumps(entity).encode()).said["pending"] == 1
    until(lambda: counts()["superseded"] == 1, "a correction by entity")
