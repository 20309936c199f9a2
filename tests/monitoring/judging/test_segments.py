"""Performance by segment: a fall in one carrier alone is found and named, the budget is kept, differences are shown."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from tests.alerts.causes import cause
from tests.monitoring.judging.test_judge import ROWS, day, joined, live

from gyroscope.clock import DAY_US, EventTime, parse_event_time
from gyroscope.monitoring.judging.causes import About, falls
from gyroscope.monitoring.judging.entered import Entry
from gyroscope.monitoring.judging.segments import NORMAL_WINDOWS, carried, halved, segments_of
from gyroscope.monitoring.judging.tracks import Budget, follow
from gyroscope.records import NotEnoughData, Window
from gyroscope.settings_models import ModelMonitor, ModelPolicy
from gyroscope.stats.evidence import State
from gyroscope.stats.performance import Estimate

NOW = parse_event_time("2030-01-01")


def entries(rates, rng, rows=60):
    """Windows of segments with these error rates, shape (T, S)."""
    found = []
    for place, window in enumerate(rates):
        wrong = rng.binomial(rows, window) / rows
        points = {
            f"carrier={k}:brier": (float(share), float(share * (1 - share)), float(rows))
            for k, share in enumerate(wrong)
        }
        stretch = Window(EventTime(place * DAY_US), EventTime((place + 1) * DAY_US))
        found.append(Entry(stretch, rows * len(window), segments=points))
    return found


def causes_of(labels, budget):
    found = segments_of(labels, "binary", budget)
    assert not isinstance(found, NotEnoughData)
    track = follow("performance", found.baselines, found.later, found.current, budget, State())
    return list(falls(About("m", "v"), track, found.streams, 0.25))


def test_segments_of_one_model_keep_half_of_what_performance_may_spend():
    rng, months = np.random.default_rng(0), 150
    budget = halved(Budget(20.0))  # twenty times the default, so that there is something to count
    false = 0
    for _ in range(months):
        day_effects = rng.normal(0, 0.01, (NORMAL_WINDOWS + 30, 1))  # what all segments of a day share
        rates = np.clip(0.15 + day_effects + np.zeros((1, 8)), 0, 1)
        false += len(causes_of(entries(rates, rng), budget))
    allowed = 0.35 * 20 / 2
    assert 0 < false / months <= allowed + 2.6 * np.sqrt(allowed / months)


def test_a_fall_in_one_segment_of_eight_is_named_with_its_own_harm():
    rng = np.random.default_rng(1)
    rates = np.full((NORMAL_WINDOWS + 20, 8), 0.15)
    rates[NORMAL_WINDOWS + 8 :, 3] = 0.45
    (cause,) = causes_of(entries(rates, rng), halved(Budget(1.0)))
    assert cause.subjects == ("brier of carrier=3",)
    assert cause.reason.startswith("brier of carrier=3 0.1")
    assert abs(cause.since - (NORMAL_WINDOWS + 8) * DAY_US) <= 2 * DAY_US
    assert 60 * 0.2 < cause.harm_per_day < 60 * 0.5
    assert dict(cause.bundle[0].labels) == {"family": "performance"}


def test_the_whole_names_the_segment_that_makes_most_of_its_harm_at_that_time():
    whole = cause("performance", 10, "brier", harm_per_day=100.0)
    part = cause("performance", 10, "brier of carrier=3", harm_per_day=60.0)
    assert carried(whole, [part]).reason.endswith("; most of it is brier of carrier=3")
    little = msgspec.structs.replace(part, harm_per_day=40.0)
    over = msgspec.structs.replace(part, since=EventTime(0), ended=EventTime(DAY_US))
    unknown = msgspec.structs.replace(part, harm_per_day=NotEnoughData("no"))
    assert carried(whole, [little, over, unknown]) == whole
    assert carried(msgspec.structs.replace(whole, harm_per_day=NotEnoughData("no")), [part]).reason == whole.reason


def test_days_of_the_calendar_teach_segments_nothing_and_few_windows_say_so():
    labels = entries(np.full((NORMAL_WINDOWS + 3, 2), 0.15), np.random.default_rng(2))
    out = frozenset(one.window.start for one in labels[3:6])
    few = segments_of(labels, "binary", Budget(1.0, out))
    assert isinstance(few, NotEnoughData)
    assert few.reason.endswith("20 of 20 labelled windows")
    found = segments_of(labels, "binary", Budget(1.0, frozenset({labels[0].window.start})))
    assert not isinstance(found, NotEnoughData)
    assert (len(found.later), found.baselines.windows.tolist()) == (2, [NORMAL_WINDOWS] * 2)
    tiny = [
        Entry(one.window, 9, segments={f"carrier={place}:brier": (0.1, 0.1, 30.0)}) for place, one in enumerate(labels)
    ]
    assert "no segment has enough" in segments_of(tiny, "binary", Budget(1.0)).reason


@pytest.fixture
def by_carrier(make_house, make_rows):
    """A house with thirty normal days as its reference whose policy names a column."""
    house = make_house()
    house.policies["flights"] = ModelPolicy(monitor=ModelMonitor(segments=("carrier",)))
    house.refer_to(joined([day(make_rows, number) for number in range(30)]))
    return house


def test_one_carrier_falls_from_the_log_to_the_incident_and_nothing_changes_with_a_restart(by_carrier, make_rows):
    rng = np.random.default_rng(3)
    for number in range(30, 30 + NORMAL_WINDOWS + 7):
        rows = day(make_rows, number)
        if number >= 52:
            rows.labels = np.where(rows.carrier == 2, rng.random(ROWS) < 0.6, rows.labels).astype(float)
        live(by_carrier, rows)
    by_carrier.measure()
    (incident,) = [one for one in by_carrier.incidents.all("flights") if one.kind == "performance"]
    assert "brier of carrier=B6" in incident.why  # as the root, or as most of what the whole lost
    causes = [incident.subjects, *(child.subjects for child in incident.children if child.kind == "performance")]
    assert ("brier of carrier=B6",) in causes
    evidence = by_carrier.points("evidence", family="segments")
    assert len(evidence) == 6
    assert "segments" in {one.family for one in by_carrier.monitor.watched("flights", NOW)}
    drawn = by_carrier.points("segment_performance", metric="brier", segment="carrier=B6")
    assert len(drawn) == NORMAL_WINDOWS + 7
    segments = by_carrier.monitor.segments("flights", by_carrier.version.version)
    assert {one.name for one in segments} == {"carrier=AA", "carrier=UA", "carrier=B6"}
    assert sum(one.rows for one in segments) == (NORMAL_WINDOWS + 7) * ROWS
    worst = max(segments, key=lambda one: one.metrics["brier"].value)
    assert worst.name == "carrier=B6"
    assert isinstance(worst.differences["brier"], Estimate)
    before = by_carrier.incidents.all("flights")
    by_carrier.monitor.close()
    by_carrier.monitor = by_carrier.new_monitor()
    by_carrier.measure()
    assert by_carrier.incidents.all("flights") == before
    assert by_carrier.points("evidence", family="segments") == evidence


def test_columns_that_are_named_later_part_the_labels_that_are_there(by_carrier, make_rows):
    by_carrier.policies.clear()
    by_carrier.monitor.close()
    by_carrier.monitor = by_carrier.new_monitor()
    live(by_carrier, day(make_rows, 30))
    by_carrier.measure()
    assert by_carrier.monitor.segments("flights", by_carrier.version.version) == ()
    by_carrier.policies["flights"] = ModelPolicy(monitor=ModelMonitor(segments=("hour", "nothing")))
    by_carrier.monitor.close()
    by_carrier.monitor = by_carrier.new_monitor()
    by_carrier.measure()
    segments = by_carrier.monitor.segments("flights", by_carrier.version.version)
    assert sum(one.rows for one in segments) == ROWS
    assert all(one.name.startswith("hour=") for one in segments)
    assert by_carrier.measure().windows == 0
