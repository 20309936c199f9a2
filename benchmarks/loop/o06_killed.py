"""O6: control killed with -9 after each thing that a rollout and a retraining write down: both end as they should.

A watcher looks at the stores every few milliseconds and kills control whenever one of them has changed. At every look
there is exactly one champion. The supervisor starts control again each time.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from benchmarks.house import CODE, MODEL, SIGNATURE, Running, kill, running
from benchmarks.load import load
from benchmarks.rows import Row, at_least, at_most
from benchmarks.target import Options
from gyroscope.clock import wall_now
from gyroscope.models import Candidate, read_signature
from gyroscope.records import Label

LOOK_S, PATIENCE_S, RATE, LABELS = 0.005, 240.0, 50.0, 60
TRAIN = """\
import pathlib

def train(data):
    slope = sum(data.column("label").to_pylist()) / sum(data.column("number").to_pylist())
    pathlib.Path("model.py").write_text(
        f"class Model:\\n    def predict(self, matrix, columns):\\n        return matrix[:, 0] * {slope}\\n"
    )
    return "model.py:Model"
"""


def measure(options: Options) -> list[Row]:
    """Each run is a retraining and the rollout of what came of it."""
    runs, ended, kills, mixed = 2 if options.is_quick else 10, 0, 0, 0
    for number in range(runs):
        place = options.folder / f"house-{number}"
        with running(place, candidate=_champion(options.folder), **_settings(options.folder)) as house:
            done, struck, twos = _run(house, place)
        ended, kills, mixed = ended + done, kills + struck, mixed + twos
    steps = f"{kills} kills in {runs} trainings and rollouts"
    return [
        at_least("O6", f"ended as they should, of all: {steps}", 100 * ended / runs, 100, "%", runs),
        at_most("O6", "looks at which there was not exactly one champion", mixed, 0, "looks", kills),
        at_least("O6", "kills of control a run", kills / runs, 8, "kills", runs),
    ]


def _settings(folder: Path) -> dict[str, object]:
    (folder / "train.py").write_text(TRAIN, encoding="utf-8")
    retrain = {
        "train": f"{folder / 'train.py'}:train",
        "least_rows": LABELS,
        "on_incident": False,
        "new_labels": LABELS,
    }
    return {
        "loops": {"retraining": "act", "promotion": "act", "rollback": "act"},
        "rollouts": {
            "needs": "nothing", "steps": [0.5], "step_s": 0.2, "requests": 10, "most_errors": 0.9, "most_slow": 1.0
        },
        "models": {MODEL: {"replicas": 1, "retrain": retrain}},
    }  # fmt: skip


def _champion(folder: Path) -> Candidate:
    (folder / "signature.yaml").write_text(SIGNATURE, encoding="utf-8")
    (folder / "champion.py").write_text(CODE, encoding="utf-8")
    return Candidate(
        MODEL, "python", read_signature(folder / "signature.yaml"), folder / "champion.py", entry="champion:Model"
    )


def _run(house: Running, place: Path) -> tuple[bool, int, int]:
    """Whether one challenger was promoted and no other made, how often control was killed, and wrong looks."""
    kills = mixed = 0
    with load(house, place / "ledger", RATE, workers=4):
        time.sleep(4.0)
        labels = [Label(f"r-{n:09d}", 2.0 * n) for n in range(1, LABELS + 40)]
        house.house.labels.add(MODEL, labels, wall_now())
        last, give_up = _written(house), time.monotonic() + PATIENCE_S
        while time.monotonic() < give_up and not _is_done(house):
            time.sleep(LOOK_S)
            roles = [route.role for route in house.house.routes.routes(MODEL)]
            mixed += roles.count("champion") != 1
            now = _written(house)
            if now != last:
                last = now
                for pid in house.pids("control"):
                    with contextlib.suppress(OSError):
                        kill(pid)
                        kills += 1
    tries = house.house.challengers.every(MODEL)
    champion = [route.version for route in house.house.routes.routes(MODEL) if route.role == "champion"]
    is_right = _is_done(house) and len(tries) == 1 and champion == [tries[0].version]
    return is_right, kills, mixed


def _written(house: Running) -> tuple[object, ...]:
    stores = house.house
    return (
        stores.routes.revision(MODEL, "routes"),
        [(one.number, one.state) for one in stores.challengers.every(MODEL)],
        [(one.number, one.state) for one in stores.trainings.every(MODEL)],
        [act.id for act in stores.journal.newest() if act.action != "keep waiting"],
    )


def _is_done(house: Running) -> bool:
    tries = house.house.challengers.every(MODEL)
    return bool(tries) and tries[0].state == "promoted"
