"""What should run for a home."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from tests.conftest import missing

from gyroscope.assembly import House
from gyroscope.assembly.plan import answering, haproxy, wanted
from gyroscope.clock import EventTime
from gyroscope.models import Candidate
from gyroscope.records import Feature, Route, Signature
from gyroscope.supervisor.wanted import Split

SIGNATURE = Signature("binary", (Feature("x"),))


@pytest.fixture
def house(tmp_path: Path) -> House:
    (tmp_path / "gyroscope.yaml").write_text("home: home\nruntime_dir: run\n")
    return House(tmp_path / "gyroscope.yaml")


def test_a_model_that_is_served_elsewhere_is_neither_started_nor_at_the_door(house: House, tmp_path: Path) -> None:
    (tmp_path / "trees.txt").write_bytes(b"tree\n")
    house.models.add(Candidate("elsewhere", "external", SIGNATURE), 1)
    here = house.models.add(Candidate("here", "lightgbm", SIGNATURE, tmp_path / "trees.txt"), 2)
    house.routes.set_route(Route("here", here.version), reason="the first", now=3)
    plan = wanted(house)
    assert [spec.model for spec in plan.processes if spec.kind == "replica"] == ["here"]
    haproxy() or missing("HAProxy is not installed: there is no door")
    assert plan.door is not None
    assert list(plan.door.backends) == ["here"]
    assert plan.door.default_model == "here"


def test_the_size_of_a_model_is_about_those_who_answer_most(house: House, tmp_path: Path) -> None:
    """A standby answers nobody, and a canary is another version with a speed of its own."""
    haproxy() or missing("HAProxy is not installed: there is no door")
    (tmp_path / "trees.txt").write_bytes(b"tree\n")
    signatures = [msgspec.structs.replace(SIGNATURE, threshold=0.1 * n) for n in range(1, 4)]
    old, now, new = (
        house.models.add(Candidate("m", "lightgbm", one, tmp_path / "trees.txt"), 1).version for one in signatures
    )
    routes = [Route("m", now, 0.9), Route("m", new, 0.1, "canary"), Route("m", old, 0.0, "standby")]
    house.routes.set_routes("m", routes, reason="a canary", now=EventTime(2))
    assert answering(wanted(house)) == {f"m-{now}-0": "m"}
    routes = [Route("m", new, 0.9), Route("m", now, 0.1, "standby")]
    house.routes.set_routes("m", routes, reason="a holdback", now=EventTime(3))
    plan = wanted(house)
    assert answering(plan) == {f"m-{new}-0": "m"}
    offered = (f"m-{new}-0",)
    assert plan.splits["m"] == Split(offered, offered, offered, 0.9), "what it fails the one before answers"
