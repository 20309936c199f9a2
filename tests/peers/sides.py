"""Two servers of one scikit-learn model, a foreign one and ours, and what both say to the same request.

The differential tests ask through here. A corpus is a list of `Case`s; where the two may differ, the test says why.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import msgspec
import numpy as np
import pytest
from benchmarks.house import MODEL, Running, free_port, running
from sklearn.linear_model import LinearRegression

import peers
from gyroscope.models import Candidate
from gyroscope.models.convert import from_sklearn

NAMES = ("age", "income", "visits")
TOLERANCE = 1e-4
"""Ours computes in float32 what scikit-learn computes in float64."""


class Case(NamedTuple):
    """One request."""

    name: str
    path: str
    body: bytes | None = None
    content_type: str = "application/json"
    method: str = "POST"


class Said(NamedTuple):
    """One answer; `body` is decoded JSON, or text where it is none."""

    status: int
    body: Any


class Model(NamedTuple):
    """A LinearRegression as scikit-learn's own file, and as ours."""

    path: Path
    candidate: Candidate


def post(name: str, path: str, body: object, content_type: str = "application/json") -> Case:
    """A case with a body: bytes and text as they are, anything else as JSON."""
    text = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    return Case(name, path, text, content_type)


def get(name: str, path: str) -> Case:
    return Case(name, path, method="GET")


def make_model(folder: Path) -> Model:
    """Trained on whole numbers, so that its answers are round."""
    rng = np.random.default_rng(0)
    matrix = rng.integers(0, 100, size=(500, len(NAMES))).astype(np.float64)
    estimator = LinearRegression().fit(matrix, matrix @ [1.0, 2.0, 0.5] + 3)
    path = folder / "line.joblib"
    joblib.dump(estimator, path)
    columns = {name: matrix[:, at] for at, name in enumerate(NAMES)}
    made = from_sklearn(estimator, columns, folder / "line.onnx")
    # As MLServer calls what a scikit-learn model answers.
    signature = msgspec.structs.replace(made.signature, output="predict")
    return Model(path, Candidate(MODEL, "onnx", signature, made.artifact))


@contextmanager
def ours(model: Model, folder: Path) -> Iterator[Running]:
    """Our house with the model."""
    with running(folder, candidate=model.candidate) as house:
        yield house


@contextmanager
def theirs(python: Path, peer: str, arguments: Sequence[str], ready: str) -> Iterator[int]:
    """The foreign server; gives its port once `ready` answers 200. `{port}` and `{other}` are free ports."""
    port = free_port()
    argv = [str(python), "-W", "ignore", str(peers.HERE / peer / "serve.py")]
    argv += [word.format(port=port, other=free_port()) for word in arguments]
    started = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        _wait(started, port, ready)
        yield port
    finally:
        os.killpg(started.pid, signal.SIGKILL)
        started.wait(10)


def ask(port: int, case: Case, headers: Mapping[str, str] | None = None) -> Said:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    sent = {"Content-Type": case.content_type} if case.content_type and case.body is not None else {}
    try:
        connection.request(case.method, case.path, case.body, {**sent, **(headers or {})})
        reply = connection.getresponse()
        text = reply.read().decode()
    finally:
        connection.close()
    try:
        return Said(reply.status, json.loads(text))
    except ValueError:
        return Said(reply.status, text)


def is_close(one: object, other: object) -> bool:
    """Equal, but for the last digits of numbers."""
    if isinstance(one, float | int) and isinstance(other, float | int) and not isinstance(one, bool):
        return abs(one - other) <= TOLERANCE * max(1.0, abs(one))
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(is_close(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_close(one[key], other[key]) for key in one)
    return one == other


def check(found: Mapping[str, str], differences: Mapping[str, str]) -> None:
    """What differs must be what is listed, no more and no less."""
    surprises = [f"{name}: {what}" for name, what in found.items() if name not in differences]
    assert not surprises, "answers differ without a reason:\n" + "\n".join(surprises)
    gone = sorted(set(differences) - set(found))
    assert not gone, f"these do not differ any more; take them off the list: {gone}"


def _wait(started: subprocess.Popen[bytes], port: int, ready: str) -> None:
    give_up = time.monotonic() + 120
    while time.monotonic() < give_up:
        try:
            if ask(port, get("ready", ready)).status == 200:
                return
        except OSError:
            pass
        if started.poll() is not None:
            break
        time.sleep(0.2)
    pytest.fail("the foreign server did not start")
