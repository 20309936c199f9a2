"""What should run for a home."""

from __future__ import annotations

from pathlib import Path

import pytest

from gyroscope.assembly import House
from gyroscope.assembly.plan import haproxy, wanted
from gyroscope.models import Candidate
from gyroscope.records import Feature, Route, Signature

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
    if not haproxy():
        pytest.skip("HAProxy is not installed: there is no door")
    assert plan.door is not None
    assert list(plan.door.backends) == ["here"]
    assert plan.door.default_model == "here"
