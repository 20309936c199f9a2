"""What the loop of rollouts is told of the house."""

from __future__ import annotations

import time

import pytest

from gyroscope.assembly import House
from gyroscope.assembly import rollouts as rollouts_module
from gyroscope.assembly.rollouts import HouseSenses
from gyroscope.clock import EventTime
from gyroscope.errors import StoreError
from gyroscope.rollouts.decide import Windows
from gyroscope.rollouts.loop import Step
from gyroscope.rollouts.losses import Compared

STEP = Step("canary", "0" * 12, "f" * 12, 0.1, EventTime(0))


def test_labels_that_could_not_be_read_once_are_read_again(tmp_path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "gyroscope.yaml").write_text("home: home\nruntime_dir: run\n")
    senses, tries, good = HouseSenses(House(tmp_path / "gyroscope.yaml")), [], Compared(Windows((0.5,), (9,), 1.0))

    def read(step, model):
        tries.append(model)
        if len(tries) == 1:
            raise StoreError("the table is being written")
        return good

    monkeypatch.setattr(senses, "_read_losses", read)
    monkeypatch.setattr(rollouts_module, "LABELS_EVERY_NS", 0)
    found, failed = [], 0
    for _ in range(500):
        try:
            found.append(senses.losses(STEP, "m"))
        except StoreError:
            failed += 1
        if found[-1:] == [good]:
            break
        time.sleep(0.01)
    assert (found[-1], failed) == (good, 1)
