"""A house around a model of one's own code, and a plain HTTP client that looks at the door from outside."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pytest
import yaml
from tests.journeys.conftest import free_port, leftovers

from gyroscope.assembly import House, up
from gyroscope.clock import wall_now
from gyroscope.demo.place import Place
from gyroscope.models import Candidate, read_signature
from gyroscope.records import Route, Size, Version
from gyroscope.supervisor import client

MODEL = "odd"
PATH = f"/models/{MODEL}/invocations"


class Answer(NamedTuple):
    """One reply; header names in lower case, `said` the decoded body (None where it is no JSON)."""

    status: int
    headers: dict[str, str]
    text: str
    seconds: float

    @property
    def said(self) -> Any:
        return json.loads(self.text)


def call(port: int, method: str, path: str, content: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
    """One request on a connection of its own, never sent twice."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    started = time.monotonic()
    try:
        connection.request(method, path, content, headers or {})
        reply = connection.getresponse()
        text = reply.read().decode()
    finally:
        connection.close()
    named = {name.lower(): value for name, value in reply.getheaders()}
    return Answer(reply.status, named, text, time.monotonic() - started)


class Own:
    """A started house with one model of one's own."""

    def __init__(self, place: Place, version: Version) -> None:
        self.place = place
        self.house = House(place.settings)
        self.version = version
        self.key = Path(up(place.settings).api_key_path).read_text(encoding="utf-8").strip()

    @property
    def port(self) -> int:
        return self.house.settings.door.port

    def ask(self, *values: Any, request_id: str = "", **headers: str) -> Answer:
        """One row."""
        return self.ask_rows([list(values)], request_id=request_id, **headers)

    def ask_rows(self, rows: list[list[Any]], *, request_id: str = "", **headers: str) -> Answer:
        """Rows of one request."""
        names = list(self.version.signature.names)
        body = {"dataframe_split": {"columns": names, "data": rows}}
        sent = {"X-Request-Id": request_id} if request_id else {}
        return self.post(PATH, json.dumps(body).encode(), {**sent, **headers})

    def post(self, path: str, content: bytes, headers: dict[str, str] | None = None) -> Answer:
        every = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json", **(headers or {})}
        return call(self.port, "POST", path, content, every)

    def get(self, path: str) -> Answer:
        return call(self.port, "GET", path, headers={"Authorization": f"Bearer {self.key}"})

    def counter(self, name: str, **labels: str) -> int:
        """The sum of a counter over all replicas, as /metrics shows it."""
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        lines = [line for line in self.get("/metrics").text.splitlines() if line.startswith(f"{name}{{")]
        return sum(int(float(line.rpartition(" ")[2])) for line in lines if all(one in line for one in wanted))

    def process(self, name: str) -> int:
        """The number of a process."""
        return next(one["pid"] for one in client.status(self.house.run_dir)["processes"] if one["name"] == name)

    def replicas(self) -> list[dict[str, Any]]:
        return [one for one in client.status(self.house.run_dir)["processes"] if one["kind"] == "replica"]

    def rows(self, what: str, where: str = "true") -> list[tuple[Any, ...]]:
        """Rows of the recorded table, in no order."""
        files = [file.path for file in self.house.table(self.version.model).files()]
        if not files:
            return []
        table = "read_parquet($1, hive_partitioning=false)"
        query = f"SELECT {what} FROM {table} WHERE {where}"
        with duckdb.connect() as connection:
            return connection.execute(query, [files]).fetchall()

    def recorded(self, request_ids: set[str]) -> None:
        """Wait until each of these requests is in the table."""
        until(lambda: request_ids <= {row[0] for row in self.rows("DISTINCT request_id")}, "recorded")


@contextmanager
def started(folder: Path, signature: str, code: str, *, replicas: int = 2, **settings: Any) -> Iterator[Own]:
    """A house with `class Model` of this code; stopped and looked after whatever happens."""
    place = Place(folder / "place")
    place.make(free_port(), "equal")
    door = {"port": House(place.settings).settings.door.port}
    plain = {"home": "home", "door": door, "models": {MODEL: {"replicas": replicas}}, **settings}
    place.settings.write_text(yaml.safe_dump(plain), encoding="utf-8")
    (folder / "signature.yaml").write_text(signature, encoding="utf-8")
    (folder / "own_model.py").write_text(code, encoding="utf-8")
    house = House(place.settings)
    candidate = Candidate(
        MODEL, "python", read_signature(folder / "signature.yaml"), folder / "own_model.py", entry="own_model:Model"
    )
    version = house.models.add(candidate, wall_now())
    house.routes.set_size(Size(MODEL, replicas), reason="the test", now=wall_now())
    house.routes.set_route(Route(MODEL, version.version), reason="the test", now=wall_now())
    try:
        yield Own(place, version)
    finally:
        place.clear()
    assert not leftovers(house), "processes were left behind"


def until(holds: Callable[[], object], what: str, patience_s: float = 60.0) -> None:
    """Wait for what must come; fails saying what did not."""
    give_up = time.monotonic() + patience_s
    while not holds():
        if time.monotonic() > give_up:
            pytest.fail(f"not within {patience_s:.0f} s: {what}")
        time.sleep(0.05)
