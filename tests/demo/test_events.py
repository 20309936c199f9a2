"""What the house's own books say becomes events, each once, with the figures it was decided on."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from gyroscope.assembly import House
from gyroscope.clock import DAY_US, EventTime
from gyroscope.demo.events import Books
from gyroscope.demo.place import MODEL
from gyroscope.records import Cause, Judged
from gyroscope.retraining import decide as retraining
from gyroscope.rollouts import decide as rollouts
from gyroscope.signals.journal import Act

FINE = rollouts.Arms((500,) * 30, (0,) * 30, (500,) * 30, (0,) * 30)
LAST = rollouts.Seen(
    MODEL, "new", "canary", rollouts.Policy(steps=(0.5,), step_s=1.0), 0.5, 9.0, errors=FINE, slow=FINE
)
BROKEN = retraining.Seen(
    MODEL, EventTime(9 * DAY_US), rows=5_000, last=EventTime(9 * DAY_US), data="a", incidents=("it fell",),
    broken=(retraining.Broken(("humid",), EventTime(8 * DAY_US)),),
)  # fmt: skip


@pytest.fixture
def house(tmp_path: Path) -> House:
    (tmp_path / "gyroscope.yaml").write_text("home: home\nruntime_dir: run\n")
    house = House(tmp_path / "gyroscope.yaml")
    house.make_folders()
    return house


def write_down(house: House, loop, seen, decision, at: int, mode="act") -> None:
    inputs = msgspec.json.encode(seen).decode()
    house.journal.append(Act(loop, MODEL, decision.action, str(decision.reason), mode, inputs, EventTime(at)))


def test_each_thing_is_told_once_with_its_figures(house: House):
    books = Books(house)
    assert books.news() == []
    house.challengers.propose(MODEL, "new", "training-1", EventTime(1))
    write_down(house, "retraining", BROKEN, retraining.decide(BROKEN), 2)
    write_down(house, "rollouts", LAST, rollouts.decide(LAST), 3)
    write_down(house, "rollouts", LAST, rollouts.decide(LAST), 4, mode="propose")
    told = books.news()
    assert [(one.type, one.version) for one in told] == [
        ("version_registered", "new"),
        ("retraining_vetoed", ""),
        ("promoted", "new"),
    ]
    assert told[1].evidence["columns"] == "humid"
    assert told[2].evidence["requests"] == 15_000
    assert all(one.reason for one in told)
    assert books.news() == []


def test_an_incident_is_opened_and_resolved(house: House):
    books = Books(house)
    made = {"model": MODEL, "version": "old", "kind": "quality", "subjects": ("humid",), "reason": "it is 0.01 times"}
    lasts = Cause(**made, since=EventTime(DAY_US), seen=EventTime(DAY_US))
    house.incidents.take(MODEL, Judged((lasts,), {}, DAY_US, EventTime(5)))
    (opened,) = books.news()
    assert (opened.type, opened.version, opened.evidence["columns"]) == ("incident_opened", "old", ["humid"])
    assert "it is 0.01 times" in opened.reason
    over = msgspec.structs.replace(lasts, ended=EventTime(2 * DAY_US))
    house.incidents.take(MODEL, Judged((over,), {}, DAY_US, EventTime(6)))
    (resolved,) = books.news()
    assert (resolved.type, resolved.evidence["id"]) == ("incident_resolved", opened.evidence["id"])
