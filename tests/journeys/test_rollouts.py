"""A challenger comes up by itself or goes back by itself, and no client ever sees it fail."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from tests.journeys.own import MODEL, Answer, Own, started, until

from gyroscope.assembly.reading import selection
from gyroscope.assembly.retraining import HouseSenses
from gyroscope.assembly.rolling import move
from gyroscope.clock import wall_now
from gyroscope.models import Candidate
from gyroscope.models.lineage import Lineage
from gyroscope.records import Label, Route, Version
from gyroscope.retraining.decide import decide
from gyroscope.rollouts.decide import recompute
from gyroscope.rollouts.moves import back, to_canary, to_champion
from gyroscope.signals.journal import Act

pytestmark = [pytest.mark.journey, pytest.mark.quiet]

SIGNATURE = "task: regression\noutput: minutes\nfeatures: [{name: distance, nullable: false}]\n"
CODE = "class Model:\n    def predict(self, matrix, columns):\n        return matrix[:, 0] * 2\n"
SETTINGS = {
    "serving": {"deadline_s": 0.5},
    "loops": {"promotion": "act", "rollback": "act", "retraining": "propose"},
    "rollouts": {
        "needs": "nothing",
        "steps": [0.5],
        "step_s": 0.5,
        "requests": 20,
        "most_errors": 0.1,
        "most_slow": 0.9,
        "holdback": 0.1,
        "holdback_s": 1.0,
    },
}
FAULTS = {
    "nan": "return matrix[:, 0] * float('nan')",
    "hang": "import time; time.sleep(60)",
    "fine": "return matrix[:, 0] * 2.0",
    "dies": "import os; os._exit(3)",
}


TRAIN = """
import pathlib

def train(data):
    slope = sum(data.column("label").to_pylist()) / sum(data.column("distance").to_pylist())
    pathlib.Path("model.py").write_text(
        f"class Model:\\n    def predict(self, matrix, columns):\\n        return matrix[:, 0] * {slope}\\n"
    )
    return "model.py:Model"
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    folder = tmp_path_factory.mktemp("own")
    (folder / "train.py").write_text(TRAIN, encoding="utf-8")
    retrain = {"train": f"{folder / 'train.py'}:train", "least_rows": 20, "on_incident": False, "folds": 2}
    models = {MODEL: {"replicas": 2, "retrain": retrain}}
    with started(folder, SIGNATURE, CODE, models=models, **SETTINGS) as own:
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


def newest(own: Own) -> Act:
    return next(iter(own.house.journal.newest("rollouts", MODEL)), Act("rollouts", "", "", "", "act", "", wall_now()))


def was(own: Own, action: str, version: str) -> bool:
    """Not only just now: what the loop says next stands in the journal within a second, or at once."""
    acts = own.house.journal.newest("rollouts", MODEL)
    if acts and acts[0].action == "roll back" != action and version in acts[0].inputs:
        pytest.fail(f"{version} was taken back: {acts[0].reason}, {acts[0].inputs}")
    return any(act.action == action and version in act.inputs for act in acts)


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


@pytest.mark.parametrize("fault", ["nan", "hang"])
def test_what_a_canary_cannot_do_the_champion_does_and_it_goes_back_by_itself(
    own: Own, tmp_path: Path, fault: str
) -> None:
    version = add(own, tmp_path, FAULTS[fault])
    with asking(own) as answers:
        move(own.house, MODEL, lambda routes: to_canary(routes, version.version, 0.5), "the test")
        until(lambda: newest(own).action == "roll back" and version.version in newest(own).inputs, "it is taken back")
        until(lambda: serving(own, version) == 0, "the canaries are gone")
    assert own.house.routes.routes(MODEL) == [Route(MODEL, own.version.version)]
    assert Counter(one.status for one in answers) == {200: len(answers)}
    assert {one.headers["x-model-version"] for one in answers} == {own.version.version}
    own.recorded({one.headers["x-request-id"] for one in answers})
    tried = f"version = '{version.version}'"
    until(lambda: not own.rows("1", f"{tried} AND answered"), "the champion's word is the answer")
    assert own.rows("1", tried) or fault == "hang", "what was tried is in the log"
    assert {row[0] for row in own.rows("variant", f"{tried} AND status >= 400")} <= {"canary"}
    act = newest(own)
    assert recompute(act.inputs).reason == act.reason


def test_a_challenger_comes_up_by_itself_and_goes_back_by_hand(own: Own, tmp_path: Path) -> None:
    version = add(own, tmp_path, FAULTS["fine"])
    with asking(own) as answers:
        own.house.challengers.propose(MODEL, version.version, "the test", wall_now())
        until(lambda: was(own, "promote", version.version), "promoted")
        until(lambda: was(own, "keep", version.version), "kept")
        until(lambda: {one.headers["x-model-version"] for one in answers[-30:]} == {version.version}, "it answers")
        pids = {one["pid"] for one in own.replicas() if own.version.version in one["name"]}
        move(own.house, MODEL, back, "the test")
        until(lambda: {one.headers["x-model-version"] for one in answers[-10:]} == {own.version.version}, "back")
    assert Counter(one.status for one in answers) == {200: len(answers)}
    assert {one["pid"] for one in own.replicas() if own.version.version in one["name"]} == pids, "it stood by"
    taken = [
        act.action for act in reversed(own.house.journal.newest("rollouts", MODEL)) if act.action != "keep waiting"
    ]
    assert taken[-4:] == ["shadow", "canary", "promote", "keep"]
    own.recorded({one.headers["x-request-id"] for one in answers})
    variants = {row[0] for row in own.rows("DISTINCT variant", f"version = '{version.version}'")}
    assert {"shadow", "canary", "live"} <= variants
    pairs = selection(own.house, MODEL).shadow_pairs().arrow()
    assert pairs.num_rows >= 20
    assert pairs.column("output_0").to_pylist() == pairs.column("shadow_output_0").to_pylist()


@pytest.mark.parametrize("fault", ["nan", "dies"])
def test_a_champion_that_turns_bad_goes_back_by_itself_and_who_stands_by_answers_what_it_fails(
    own: Own, tmp_path: Path, fault: str
) -> None:
    turned = tmp_path / "turned"
    line = f"import os\n        if os.path.exists({str(turned)!r}): {FAULTS[fault]}\n        return matrix[:, 0] * 2.5"
    version = add(own, tmp_path, line)
    own.house.challengers.propose(MODEL, version.version, "training-0", wall_now())
    own.house.challengers.turn(own.house.challengers.open(MODEL)[0], "rolling", "the test", wall_now())
    with asking(own) as answers:
        move(own.house, MODEL, lambda routes: to_canary(routes, version.version, 0.0001), "the test")
        until(lambda: serving(own, version) == 2, "the canaries are ready")
        turned.touch()
        promoted = move(own.house, MODEL, lambda routes: to_champion(routes, 0.1), "the test")
        assert [route.share for route in promoted.after] == [0.9, 0.1]
        until(lambda: newest(own).action == "roll back" and version.version in newest(own).inputs, "it is taken back")
        until(lambda: serving(own, version) == 0, "its replicas are gone")
    assert own.house.routes.routes(MODEL) == [Route(MODEL, own.version.version)]
    assert Counter(one.status for one in answers) == {200: len(answers)}
    act = newest(own)
    assert '"holdback"' in act.inputs
    assert recompute(act.inputs).reason == act.reason
    tries = own.house.challengers
    until(lambda: tries.every(MODEL)[-1].state == "rolled_back", "it counts as one that was taken back")


def test_a_challenger_is_trained_from_labels_and_comes_up(own: Own) -> None:
    asked = {f"flight-{n}": float(n + 1) for n in range(40)}
    for request_id, distance in asked.items():
        assert own.ask(distance, request_id=request_id).status == 200
    own.recorded(set(asked))
    own.house.labels.add(MODEL, [Label(one, 3.0 * distance) for one, distance in asked.items()], wall_now())
    own.house.labels.settle(MODEL, wall_now())
    tells = HouseSenses(own.house)
    until(lambda: decide(msgspec.structs.replace(tells.seen(MODEL, [], []), asked=True)).action == "train", "labels")
    seen = tells.seen(MODEL, [], [])
    assert seen.rows == 40
    own.house.trainings.begin(MODEL, "the test", seen.now, seen.data, seen.rows)
    until(lambda: own.house.trainings.every(MODEL)[-1].state != "running", "it is trained")
    done = own.house.trainings.every(MODEL)[-1]
    assert done.state == "done", done.said
    lineage = own.house.models.lineage(own.house.models.get(MODEL, done.version))
    assert isinstance(lineage, Lineage)
    assert (lineage.parent, lineage.data, lineage.rows) == (own.version.version, seen.data, 40)
    with asking(own) as answers:
        until(lambda: was(own, "promote", done.version), "promoted")
        until(lambda: was(own, "keep", done.version), "kept")
        # Until the holdback has ended at the door too, the champion of before answers one in ten.
        until(lambda: {one.headers.get("x-model-version") for one in answers[-100:]} == {done.version}, "it answers")
    assert Counter(one.status for one in answers) == {200: len(answers)}
    assert own.ask(7.0).said["predictions"] == [21.0]
