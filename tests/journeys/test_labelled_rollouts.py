"""Labels decide about a challenger: a worse one goes back, one worse in a segment waits, a better one comes up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.journeys.own import MODEL, Own, started, until

from gyroscope.clock import wall_now
from gyroscope.models import Candidate
from gyroscope.records import Label, Version
from gyroscope.rollouts.decide import Reason, Seen, recompute
from gyroscope.rollouts.moves import back, holder
from gyroscope.signals.journal import Act
from gyroscope.supervisor.pulse import Pulse

pytestmark = pytest.mark.journey

SIGNATURE = """\
task: regression
output: minutes
features:
  - {name: distance, nullable: false}
  - {name: city, dtype: string, categories: [near, far], nullable: false}
"""
CODE = "class Model:\n    def predict(self, matrix, columns):\n        return matrix[:, 0] * {}\n"
SETTINGS = {
    "loops": {"promotion": "act", "rollback": "act"},
    "rollouts": {
        "needs": "better", "steps": [0.5], "step_s": 0.2, "requests": 20, "most_errors": 0.9, "most_slow": 1.0,
        "holdback_s": 0.2,
    },
}  # fmt: skip
TRUE = 3.0
DAYS, REQUESTS, ROWS = 10, 3, 30


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    with started(tmp_path_factory.mktemp("own"), SIGNATURE, CODE.format(2), replicas=1, **SETTINGS) as own:
        yield own


def proposed(own: Own, folder: Path, factor: str) -> Version:
    """A challenger whose shadow is ready and has copies sent to it: the champion looks for it with each beat."""
    (folder / "challenger.py").write_text(CODE.format(factor))
    candidate = Candidate(MODEL, "python", own.version.signature, folder / "challenger.py", entry="challenger:Model")
    version = own.house.models.add(candidate, wall_now())
    own.house.challengers.propose(MODEL, version.version, "the test", wall_now())
    names = f"{MODEL}-{version.version}-shadow"
    until(lambda: [one["state"] for one in own.replicas() if one["name"] == names] == ["ready"], "the shadow is ready")
    until(lambda: own.ask(10.0, "near").status == 200 and copied(own, version), "copies reach the shadow")
    return version


def copied(own: Own, version: Version) -> int:
    """How many requests its shadow has answered."""
    pulse = Pulse.open(own.house.pulse(f"{MODEL}-{version.version}-shadow"))
    count = pulse.counters()["requests_2xx"]
    pulse.close()
    return count


def played(own: Own, version: Version, month: int) -> None:
    """Ten days of requests with their labels; each has its own mean. A shadow that is behind drops copies."""
    labels, asked = [], set()
    for day in range(1, DAYS + 1):
        for number in range(REQUESTS):
            request_id = f"{month}-{day}-{number}"
            rows = [[float(10 + (7 * day) % 5 + row % 3), ("near", "far")[row % 2]] for row in range(ROWS)]
            moment = f"2024-{month:02d}-{day:02d}T{number:02d}:00:00Z"
            before = copied(own, version)
            assert own.ask_rows(rows, request_id=request_id, **{"X-Event-Time": moment}).status == 200
            until(lambda before=before: copied(own, version) > before, "its shadow has answered")
            asked.add(request_id)
            labels += [Label(request_id, TRUE * distance, row=row) for row, (distance, _) in enumerate(rows)]
    own.recorded(asked)
    own.house.labels.add(MODEL, labels, wall_now())
    own.house.labels.settle(MODEL, wall_now())


def said(own: Own, version: Version, action: str, reason: Reason) -> Act:
    """Wait, asking on, until the loop has said this of the version, and decide it again."""

    def found() -> list[Act]:
        own.ask(10.0, "near")
        acts = [act for act in own.house.journal.newest("rollouts", MODEL) if version.version in act.inputs]
        if acts and acts[0].action == "roll back" != action:
            pytest.fail(f"{action}? It was taken back: {acts[0].reason}, {acts[0].inputs}")
        return [act for act in acts if (act.action, act.reason) == (action, reason)]

    until(found, f"{action}, {reason}")
    act = found()[0]
    assert recompute(act.inputs).reason == act.reason
    assert msgspec.json.decode(act.inputs, type=Seen).windows.days >= 7
    return act


def test_a_worse_one_goes_back_from_the_shadow(own: Own, tmp_path: Path) -> None:
    version = proposed(own, tmp_path, "1")
    played(own, version, 1)
    said(own, version, "roll back", Reason.WORSE)
    until(lambda: own.house.challengers.every(MODEL)[-1].state == "rolled_back", "it is closed")
    assert holder(own.house.routes.routes(MODEL), "champion") == own.version.version


def test_one_that_is_worse_in_a_segment_waits_and_a_better_one_comes_up(own: Own, tmp_path: Path) -> None:
    version = proposed(own, tmp_path, "(3.0 - 1.2 * matrix[:, 1])")  # right in the near city, worse in the far one
    played(own, version, 2)
    act = said(own, version, "keep waiting", Reason.SEGMENT)
    assert recompute(act.inputs).evidence["segment"] == "city=far"
    own.house.routes.set_routes(MODEL, back(own.house.routes.routes(MODEL)), reason="the test", now=wall_now())
    until(lambda: own.house.challengers.every(MODEL)[-1].state == "rolled_back", "it is closed")

    better = proposed(own, tmp_path, str(TRUE))
    played(own, better, 3)
    said(own, better, "canary", Reason.PROVEN)

    def is_champion() -> bool:
        own.ask(10.0, "near")
        return holder(own.house.routes.routes(MODEL), "champion") == better.version

    until(is_champion, "it is champion")
