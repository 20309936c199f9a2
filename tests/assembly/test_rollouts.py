"""What the loop of rollouts is told of the house."""

from __future__ import annotations

import time

import msgspec
import pytest

from gyroscope.assembly import House
from gyroscope.assembly import rollouts as rollouts_module
from gyroscope.assembly.rollouts import HouseSenses
from gyroscope.clock import EventTime
from gyroscope.errors import StoreError
from gyroscope.models import Candidate
from gyroscope.predictions.segments.file import segment_folder
from gyroscope.predictions.segments.log import PredictionLog
from gyroscope.predictions.tables.table import FIRST_TIME, Table
from gyroscope.records import Cause, Judged, Label
from gyroscope.rollouts.decide import Windows
from gyroscope.rollouts.loop import Step
from gyroscope.rollouts.losses import Compared

MARCH_1_US = 1362114000000000
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


def test_days_on_which_data_was_broken_say_nothing_of_a_challenger(lived):
    live, hour = lived.log(), 3_600_000_000
    lived.predict(live, *range(120))
    lived.predict(live, *range(120), variant="shadow")
    live.close()
    lived.record()
    lived.house.labels.add("flights", [Label(f"r-{at:06d}", 1.0) for at in range(120)], EventTime(10**15))
    version = lived.version.version
    senses, step = HouseSenses(lived.house), Step("shadow", version, version, 0.0, EventTime(0))

    def rows() -> tuple[int, ...]:
        return senses._read_losses(step, "flights").whole.rows

    assert rows() == (24,) * 4, "the newest day may still grow"
    start = EventTime(MARCH_1_US + 24 * hour)
    made = {"model": "flights", "version": version, "kind": "quality", "reason": "", "subjects": ("distance",)}
    lasts = Cause(**made, since=start, seen=start)
    lived.house.incidents.take("flights", Judged((lasts,), {}, hour, EventTime(0)))
    assert rows() == (), "the day before it is the newest"
    late = msgspec.structs.replace(lasts, subjects=("labels",), reason="no labels", seen=EventTime(start + hour))
    over = msgspec.structs.replace(lasts, ended=EventTime(start + 24 * hour))
    lived.house.incidents.take("flights", Judged((over,), {}, hour, EventTime(0)))
    assert rows() == (24,) * 3
    lived.house.incidents.take("flights", Judged((over, late), {}, hour, EventTime(0)))
    assert rows() == (24,) * 3, "labels that are late say nothing against the rows"


def test_what_came_before_the_challenger_is_not_read(lived, monkeypatch):
    (lived.home / "other.py").write_text("class Model:\n    pass  # another\n")
    candidate = Candidate("flights", "python", lived.version.signature, lived.home / "other.py", "other:Model")
    other = lived.house.models.add(candidate, EventTime(1))
    shadow = PredictionLog(segment_folder(lived.house.runtime, "flights"), f"flights-{other.version}-shadow", other)
    live = lived.log()
    lived.predict(live, *range(240))
    lived.predict(shadow, *range(144, 240), variant="shadow")
    live.close()
    shadow.close()
    lived.record()
    lived.house.labels.add("flights", [Label(f"r-{at:06d}", 1.0) for at in range(240)], EventTime(10**15))
    senses = HouseSenses(lived.house)
    step = Step("shadow", lived.version.version, other.version, 0.0, EventTime(0))
    days: list[str] = []
    read = lived.house.labels.of_day
    monkeypatch.setattr(lived.house.labels, "of_day", lambda model, day: days.append(day) or read(model, day))
    found = senses._read_losses(step, "flights")
    assert found.whole.rows == (24, 24, 24, 23)
    assert min(days) == "2013-03-05", "its first row is of the seventh"
    nothing = msgspec.structs.replace(step, challenger="none")
    days.clear()
    assert senses._read_losses(nothing, "flights") == Compared()
    assert days == []
    monkeypatch.setattr(Table, "first_of", lambda self, version: FIRST_TIME)
    assert senses._read_losses(step, "flights") == found
