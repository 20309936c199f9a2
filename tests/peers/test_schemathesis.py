"""Schemathesis reads the OpenAPI document of a real replica and looks for an answer that is not in there."""

from __future__ import annotations

import hashlib
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from benchmarks.house import free_port

import peers
from gyroscope.clock import EventTime
from gyroscope.models.store import Candidate, ModelStore
from gyroscope.records import Feature, Signature

REPLICA = Path(__file__).parents[1] / "serving" / "one_replica.py"
CODE = "class Model:\n    def predict(self, matrix, columns):\n        return matrix[:, 1] * 0 + 0.5\n"
SIGNATURE = Signature(
    "binary",
    (
        Feature("distance"),
        Feature("hour", "int64"),
        Feature("carrier", "string", ("AA", "UA")),
        Feature("late", "bool"),
    ),
)

pytestmark = pytest.mark.peer


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "model.py").write_text(CODE)
    (tmp_path / "digests").write_text(hashlib.sha256(b"key").hexdigest())
    ModelStore(tmp_path).add(
        Candidate("flights", "python", SIGNATURE, tmp_path / "model.py", "model:Model"), EventTime(0)
    )
    port = free_port()
    argv = [sys.executable, str(REPLICA), str(tmp_path), json.dumps({"port": port}), "{}"]
    process = subprocess.Popen(argv)
    try:
        wait_for(port)
        yield f"http://127.0.0.1:{port}"
        assert process.poll() is None, "the replica died"
    finally:
        process.terminate()
        process.wait(20)


def wait_for(port: int) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/ping")
            connection.getresponse().read()
            connection.close()
            return
        time.sleep(0.05)
    raise AssertionError("the replica did not start")


def test_only_documented_answers(address: str, peer_python: Callable[[str], Path], tmp_path: Path) -> None:
    schemathesis = peer_python("schemathesis").with_name("schemathesis")
    config = peers.HERE / "schemathesis" / "schemathesis.toml"
    argv = [
        schemathesis, "--config-file", config, "run", f"{address}/v2/openapi.json",
        "--header", "Authorization: Bearer key", "--phases", "examples,coverage,fuzzing",
        "--max-examples", "30", "--seed", "1", "--no-color",
    ]  # fmt: skip
    done = subprocess.run(argv, capture_output=True, text=True, cwd=tmp_path, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    assert "21 selected / 21 total" in done.stdout
