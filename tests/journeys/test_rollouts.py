"""A canary that refuses, fails, crashes or hangs is seen by nobody; promotion and the way back fail no request."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.journeys.own import MODEL, Answer, Own, started, until

from gyroscope.assembly.rolling import move
from gyroscope.clock import wall_now
from gyroscope.models import Candidate
from gyroscope.records import Version
from gyroscope.rollouts.moves import back, to_canary, to_champion
from gyroscope.supervisor import client

pytestmark = pytest.mark.journey

SIGNATURE = "task: regression\noutput: minutes\nfeatures: [{name: distance, nullable: false}]\n"
CODE = "class Model:\n    def predict(self, matrix, columns):\n        return matrix[:, 0] * 2\n"
FAULTS = {
    "nan": "return matrix[:, 0] * float('nan')",
    "crash": "import os; os.abort()",
    "hang": "import time; time.sleep(60)",
    "fine": "return matrix[:, 0] * 2.0",
}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    with started(tmp_path_factory.mktemp("own"), SIGNATURE, CODE, serving={"deadline_s": 0.5}) as own:
        yield own


def add(own: Own, folder: Path, line: str) -> Version:
    (folder / "challenger.py").write_text(f"class Model:\n    def predict(self, matrix, columns):\n        {line}\n")
    signature = own.version.signature
    candidate = Candidate(MODEL, "python", signature, folder / "challenger.py", entry="challenger:Model")
    return own.house.models.add(candidate, wall_now())


def serving(own: Own, version: Version) -> int:
    """How many replicas of a version are ready."""
    name = f"{MODEL}-{version.version}-"
    return sum(one["state"] == "ready" and one["name"].startswith(name) for one in own.replicas())


@contextmanager
def asking(own: Own, clients: int = 3) -> Iterator[list[Answer]]:
    answers: list[Answer] = []
    enough = threading.Event()

    def go_on() -> None:
        while not enough.is_set():
            answers.append(own.ask(21.0))

    threads = [threading.Thread(target=go_on) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        enough.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("fault", ["nan", "crash", "hang"])
def test_what_a_canary_cannot_do_the_champion_does(own: Own, tmp_path: Path, fault: str) -> None:
    version = add(own, tmp_path, FAULTS[fault])
    move(own.house, MODEL, lambda routes: to_canary(routes, version.version, 0.5), "the test")
    until(lambda: serving(own, version) == 2, "the canaries are ready")
    with asking(own) as answers:
        until(lambda: len(answers) > (20 if fault == "hang" else 60), "they are asked")
        move(own.house, MODEL, back, "the test")
        until(lambda: serving(own, version) == 0, "the canaries are gone")
    assert Counter(one.status for one in answers) == {200: len(answers)}
    assert {one.headers["x-model-version"] for one in answers} == {own.version.version}
    own.recorded({one.headers["x-request-id"] for one in answers})
    tried = f"version = '{version.version}'"
    until(lambda: not own.rows("1", f"{tried} AND answered"), "the champion's word is the answer")
    assert own.rows("1", tried) or fault in ("crash", "hang"), "what was tried is in the log"
    assert set(own.rows("status, variant", tried)) <= {(500, "canary")}


def test_promotion_and_the_way_back_under_load(own: Own, tmp_path: Path) -> None:
    version = add(own, tmp_path, FAULTS["fine"])
    move(own.house, MODEL, lambda routes: to_canary(routes, version.version, 0.5), "the test")
    until(lambda: serving(own, version) == 2, "the canaries are ready")
    with asking(own) as answers:
        until(lambda: len(answers) > 40, "they are asked")
        move(own.house, MODEL, to_champion, "the test")
        until(lambda: {one.headers["x-model-version"] for one in answers[-10:]} == {version.version}, "promoted")
        pids = {one["pid"] for one in client.status(own.house.run_dir)["processes"]}
        move(own.house, MODEL, back, "the test")
        until(lambda: {one.headers["x-model-version"] for one in answers[-10:]} == {own.version.version}, "back")
    assert Counter(one.status for one in answers) == {200: len(answers)}
    assert {one["pid"] for one in own.replicas() if own.version.version in one["name"]} <= pids, "it stood by"
