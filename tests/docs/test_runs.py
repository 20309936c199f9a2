"""Every page does what it says: its blocks are run in their order, in an empty folder with the files they speak of.

The port 8080 of the pages is exchanged for a free one; nothing else is changed.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import duckdb
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from gyroscope.settings import read_settings

KINDS = {"python", "console", "yaml", "json", "csv", "text", "promql", "ini"}
LOOKED_AT = ("pip install ", "make ")

SIGNATURE = """\
task: binary
features:
  - {name: age, dtype: float64}
  - {name: plan, dtype: string, categories: [basic, plus]}
"""

PRELUDE = """\
set -euo pipefail
gyro() { command gyro "$@"; if [ "$1" = init ]; then sed -i "s/port: 8080/port: $PORT/" gyroscope.yaml; fi; }
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """What a reader of the pages is said to have: a model, its signature, held-out rows, outcomes, two tables."""
    _write_model(tmp_path / "model.onnx")
    (tmp_path / "signature.yaml").write_text(SIGNATURE)
    (tmp_path / "outcomes.csv").write_text("request_id,value\norder-1042,1\n")
    (tmp_path / "churn.py").write_text(
        "class Churn:\n    def predict(self, matrix, columns):\n        return (matrix[:, 0] > 40) * 0.5 + 0.25\n"
    )
    rng = np.random.default_rng(0)
    ages, plans, days = rng.normal(40, 10, 900), rng.choice(["basic", "plus"], 900), np.arange(900) % 30
    columns = {"age": ages, "plan": plans.astype(object), "day": days, "churned": (ages > 45).astype(np.int64)}
    with duckdb.connect() as connection:
        connection.register("rows", columns)
        query = "SELECT age, plan, churned, TIMESTAMP '2026-01-01' + to_days(day::int) AS happened_at FROM rows"
        for name in ("held_out", "reference", "current"):
            connection.execute(f"COPY ({query}) TO '{tmp_path / name}.parquet' (FORMAT parquet)")
        connection.execute(f"COPY (SELECT age, plan FROM rows LIMIT 5) TO '{tmp_path}/rows.csv' (FORMAT csv, HEADER)")
    return tmp_path


@pytest.fixture
def environment(place: Path):
    """An ordinary user's shell, with a free port; whatever was started is stopped at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    variables = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PORT": port}
    variables.pop("GYROSCOPE_SETTINGS", None)
    yield variables
    if (place / "gyroscope.yaml").is_file():
        subprocess.run(["gyro", "down"], cwd=place, env=variables, check=True, capture_output=True)
        shutil.rmtree(read_settings(place / "gyroscope.yaml").runtime_path, ignore_errors=True)


def test_the_page_runs(page: Path, cut, place: Path, environment: dict[str, str]):
    for block in cut(page):
        if block.kind not in ("python", "console") or block.reason:
            continue
        code = block.code.replace("8080", environment["PORT"])
        argv = [sys.executable, "-c", code] if block.kind == "python" else ["bash", "-c", PRELUDE + _runnable(code)]
        ended = subprocess.run(argv, cwd=place, env=environment, capture_output=True, text=True, timeout=120)
        assert ended.returncode == 0, f"{block.where} fails:\n{ended.stdout}\n{ended.stderr}"


def test_every_block_has_a_kind_that_is_checked(block):
    assert block.kind in KINDS, f"{block.where}: call it one of {sorted(KINDS)}"


def test_what_is_only_looked_at_exists(block, root: Path):
    if block.kind != "console":
        return
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    for line in block.code.splitlines():
        if line.startswith("make "):
            dry = subprocess.run(
                ["make", "--dry-run", *shlex.split(line)[1:]], cwd=root, capture_output=True, text=True
            )
            assert dry.returncode == 0, f"{block.where}: {dry.stderr}"
        for extras in re.findall(r"gyroscope\[([\w,]+)\]", line):
            unknown = set(extras.split(",")) - set(project["optional-dependencies"])
            assert not unknown, f"{block.where}: there is no extra called {unknown}"


def _runnable(code: str) -> str:
    return "\n".join(line for line in code.splitlines() if not line.startswith(LOOKED_AT))


def _write_model(path: Path) -> None:
    """A logistic regression on the matrix (age, code of plan)."""
    nodes = [
        helper.make_node("Gemm", ["features", "weights", "bias"], ["score"]),
        helper.make_node("Sigmoid", ["score"], ["probability"]),
    ]
    graph = helper.make_graph(
        nodes,
        "churn",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 2])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["n", 1])],
        [
            helper.make_tensor("weights", TensorProto.FLOAT, [2, 1], [0.1, -0.5]),
            helper.make_tensor("bias", TensorProto.FLOAT, [1], [-4.0]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
