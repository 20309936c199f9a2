"""Versions that die or hang while they load never get a request, are not started without pause, and harm nobody."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.journeys.own import MODEL, Answer, Own, started, until

from gyroscope.assembly.telling import tell
from gyroscope.clock import wall_now
from gyroscope.models import Candidate
from gyroscope.records import Route, Version

pytestmark = pytest.mark.journey

SIGNATURE = "task: regression\noutput: minutes\nfeatures: [{name: distance, nullable: false}]\n"
GOOD = "class Model:\n    def predict(self, matrix, columns):\n        return matrix[:, 0] * 2\n"
POISON = {
    "raises": "raise RuntimeError('not today')",
    "exits": "import os; os._exit(3)",
    "crashes": "import ctypes; ctypes.string_at(0)",
    "hangs": "import time; time.sleep(1_000_000)",
}
WATCHED_S, MOST_STARTS = 6.0, 12


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    with started(tmp_path_factory.mktemp("poison"), SIGNATURE, GOOD) as own:
        yield own


def serve(own: Own, folder: Path, code: str) -> Version:
    """Another version of the model, unrehearsed, is what is wanted from now on."""
    path = folder / "next_model.py"
    path.write_text(code, encoding="utf-8")
    signature = own.version.signature
    version = own.house.models.add(Candidate(MODEL, "python", signature, path, entry="next_model:Model"), wall_now())
    route(own, version.version)
    return version


def route(own: Own, version: str) -> None:
    own.house.routes.set_route(Route(MODEL, version), reason="the test", now=wall_now())
    tell(own.house)


def events(own: Own, version: str, kind: str) -> list[str]:
    """The reasons of one kind of event that a version's replicas met."""
    every = [json.loads(line) for line in (own.house.run_dir / "supervisor.events").read_text().splitlines()]
    return [one["reason"] for one in every if one["event"] == kind and version in one["process"]]


def starts(own: Own, version: str) -> int:
    return len(events(own, version, "started"))


@pytest.mark.parametrize("how", POISON)
def test_the_version_before_answers_on(own: Own, tmp_path: Path, how: str) -> None:
    answers: list[Answer] = []
    enough = threading.Event()

    def ask() -> None:
        for number in itertools.count():
            if enough.is_set():
                return
            answers.append(own.ask(1.0, request_id=f"{how}-{number}"))

    beside = threading.Thread(target=ask)
    beside.start()
    poison = serve(own, tmp_path, f"{GOOD}\n    def __init__(self):\n        {POISON[how]}\n")
    until(lambda: starts(own, poison.version), "the poison is tried")
    time.sleep(WATCHED_S)
    enough.set()
    beside.join()
    ends = events(own, poison.version, "ended")
    print(f"{how}: {len(answers)} answered meanwhile, {starts(own, poison.version)} starts; {ends}")
    assert {one.status for one in answers} == {200}
    assert {one.headers["x-model-version"] for one in answers} == {own.version.version}
    assert 1 <= starts(own, poison.version) <= MOST_STARTS
    assert bool(ends) == (how != "hangs"), "it does what its name says"
    route(own, own.version.version)
    until(lambda: all(poison.version not in one["name"] for one in own.replicas()), "the poison is gone")
    assert own.ask(1.0).status == 200


def test_a_good_version_after_all_takes_over(own: Own, tmp_path: Path) -> None:
    better = serve(own, tmp_path, GOOD.replace("* 2", "* 3"))
    until(
        lambda: {own.ask(1.0).headers["x-model-version"] for _ in range(8)} == {better.version}, "the good one serves"
    )
    assert own.ask(1.0).said["predictions"] == [3.0]
