"""Losses of a challenger by day: days that changed are read again, no other, and the sums are those of all rows."""

from __future__ import annotations

import msgspec
import pytest
from tests.assembly.conftest import MARCH_1_US, Lived

from gyroscope.assembly.loss_days import LossDays
from gyroscope.clock import EventTime
from gyroscope.models import Candidate
from gyroscope.predictions.segments.file import segment_folder
from gyroscope.predictions.segments.log import PredictionLog
from gyroscope.records import Cause, Judged, Label
from gyroscope.rollouts.loop import Step

HOUR_US = 3_600_000_000
LATER = EventTime(10**15)


@pytest.fixture
def step(lived: Lived) -> Step:
    return four_days(lived)


def four_days(lived: Lived, late_us: int = 0) -> Step:
    """Of a champion and its shadow, which answers so much later; all labelled."""
    (lived.home / "other.py").write_text("class Model:\n    pass  # another\n")
    candidate = Candidate("flights", "python", lived.version.signature, lived.home / "other.py", "other:Model")
    other = lived.house.models.add(candidate, EventTime(1))
    live = lived.log()
    shadow = PredictionLog(segment_folder(lived.house.runtime, "flights"), f"flights-{other.version}-shadow", other)
    lived.predict(live, *range(96))
    lived.predict(shadow, *range(96), output=0.5, late_us=late_us, variant="shadow")
    live.close()
    shadow.close()
    lived.record()
    lived.house.labels.add("flights", [Label(f"r-{at:06d}", float(at % 2)) for at in range(200)], LATER)
    lived.house.labels.settle("flights", LATER)
    return Step("shadow", lived.version.version, other.version, 0.0, EventTime(0))


def test_only_days_that_changed_are_read_again(lived, step, read):
    days = LossDays(lived.house, step, "flights")
    whole = days.compared()
    assert whole.whole.rows == (24, 24, 24)
    assert read == ["2013-03-01", "2013-03-02", "2013-03-03", "2013-03-04"]
    read.clear()
    assert days.compared() == whole
    assert read == []

    lived.house.labels.add("flights", [Label("r-000030", 1.0)], LATER)
    corrected = days.compared()
    assert read == ["2013-03-02"], "its label was corrected"
    assert corrected == LossDays(lived.house, step, "flights").compared()
    assert corrected != whole

    live = lived.log()
    lived.predict(live, *range(96, 120))
    live.close()
    lived.record()
    read.clear()
    later = days.compared()
    assert read == ["2013-03-04", "2013-03-05"], "a shadow of the day before may lie in the new one"
    assert later == LossDays(lived.house, step, "flights").compared()


def test_what_is_broken_is_left_out_of_days_that_are_known(lived, step):
    days = LossDays(lived.house, step, "flights")
    days.compared()
    start = EventTime(MARCH_1_US + 10 * HOUR_US)
    made = {"model": "flights", "version": step.champion, "kind": "quality", "reason": "", "subjects": ("x",)}
    over = Cause(**made, since=start, seen=start, ended=EventTime(start + 5 * HOUR_US))
    lived.house.incidents.take("flights", Judged((over,), {}, HOUR_US, EventTime(0)))
    left = days.compared()
    assert left == LossDays(lived.house, step, "flights").compared()
    assert left.whole.rows == (19, 24, 24)


def test_a_pair_that_midnight_parts_is_one(lived):
    """Of the last of each day the shadow lies in the next."""
    days = LossDays(lived.house, four_days(lived, HOUR_US), "flights")
    assert days.compared().whole.rows == (24, 24, 24)
    lived.house.labels.add("flights", [Label("r-000030", 1.0)], LATER)
    assert days.compared().whole.rows == (24, 24, 24), "a day that is read alone has its last pair too"


def test_a_canary_s_windows_are_those_that_both_sides_have(lived, step):
    canary = PredictionLog(
        segment_folder(lived.house.runtime, "flights"),
        f"flights-{step.challenger}-0",
        lived.house.models.get("flights", step.challenger),
    )
    live = lived.log()
    lived.predict(live, *range(96, 168, 2))
    lived.predict(canary, *range(97, 168, 2), variant="canary")
    live.close()
    canary.close()
    lived.record()
    lived.house.labels.settle("flights", LATER)
    days = LossDays(lived.house, msgspec.structs.replace(step, stage="canary"), "flights")
    assert days.compared().whole.rows == (12, 12)


def test_who_has_answered_nothing_is_held_against_nothing(lived, step):
    assert (
        LossDays(lived.house, msgspec.structs.replace(step, challenger="none"), "flights").compared().whole.rows == ()
    )
