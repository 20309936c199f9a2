"""Figures: what is unknown is said, lines break at holes, names are text, one look for all."""

from __future__ import annotations

from typing import get_args
from xml.etree import ElementTree

import numpy as np
import pytest

from gyroscope.alerts import Incident
from gyroscope.alerts.incident import TITLES
from gyroscope.clock import DAY_US, EventTime
from gyroscope.records import CauseKind, NotEnoughData, Signal
from gyroscope.reports.figures.alarm_days import Strip, alarm_days
from gyroscope.reports.figures.calibration import calibration_curve
from gyroscope.reports.figures.distribution import MOST_BARS, distribution
from gyroscope.reports.figures.drift import drift_heat_map
from gyroscope.reports.figures.estimates import estimated_and_realised
from gyroscope.reports.figures.evidence import evidence_over_time
from gyroscope.reports.figures.hours import hours_over_time
from gyroscope.reports.figures.incidents import COLOURS, incident_timeline
from gyroscope.reports.figures.performance import performance_over_time
from gyroscope.reports.figures.predictions import predictions_over_time
from gyroscope.reports.figures.segments import segment_differences
from gyroscope.reports.figures.traffic import traffic_and_latency
from gyroscope.reports.theme import FONT, broken_line, runs, template
from gyroscope.stats.performance import Estimate, calibration, tally
from gyroscope.stats.profiles import fit_layout, profile

UNKNOWN = NotEnoughData("12 labelled rows; 30 are needed")
HOSTILE = "<a href='https://evil.example'>x</a>"


def _series(values, name="performance", **labels):
    """One point a day from 2013-03-01 in New York."""
    start = 1_362_114_000_000_000
    pairs = tuple(labels.items())
    return [
        Signal(name, EventTime(start + day * DAY_US), value, pairs, low=None, high=None, n=100)
        for day, value in enumerate(values)
        if value is not None
    ]


def test_runs_break_at_unknown_and_at_absent_windows():
    parts = runs(_series([1.0, 2.0, UNKNOWN, 3.0, 4.0, None, 5.0]))
    assert [[signal.value for signal in part] for part in parts] == [[1.0, 2.0], [3.0, 4.0], [5.0]]


def test_a_day_of_25_hours_breaks_no_line():
    signals = _series([1.0, 2.0, 3.0])
    longer = Signal("performance", EventTime(signals[-1].at + DAY_US + DAY_US // 24), 4.0)
    assert len(runs([*signals, longer])) == 1


def test_a_broken_line_has_a_hole_and_the_zones_own_days():
    x, y = broken_line(_series([1.0, UNKNOWN, 2.0]), "America/New_York")
    assert (x[0], y) == ("2013-03-01T00:00:00", [1.0, None, 2.0])


def test_performance_tells_why_a_window_is_unknown_and_draws_no_number_for_it():
    drawn = performance_over_time("brier", _series([0.2, UNKNOWN, 0.3], version="a"), _series([0.9] * 3))
    line = next(trace for trace in drawn.data if trace.name == "version a")
    crosses = next(trace for trace in drawn.data if trace.name == "not enough data")
    assert list(line.y) == [0.2, None, 0.3]
    assert list(crosses.text) == [UNKNOWN.reason]
    assert "lower is better" in drawn.layout.yaxis.title.text


def test_a_cell_of_the_heat_map_covers_no_days_without_data():
    """A cell reaches halfway to its neighbours: beside a gap they must be blank ones, one window away."""
    picture = drift_heat_map(_series([0.1, 0.2, *[None] * 200, 0.3], "drift", column="age")).data[0]
    assert [x[:10] for x in picture.x] == ["2013-03-01", "2013-03-02", "2013-03-03", "2013-09-18", "2013-09-19"]
    assert list(picture.z[0]) == [0.1, 0.2, None, None, 0.3]


def test_windows_whose_first_labels_mislead_are_marked():
    signals = _series([0.2, 0.3, 0.4], version="a")
    early = _series([0.0, 0.0, -0.1], "reading", version="a")[2:] + _series([-0.1], "reading", version="b")
    found = performance_over_time("accuracy", signals, [], early=early).data
    (marked,) = [trace for trace in found if trace.name == "first labels, not like the rest"]
    assert list(marked.y) == [0.4]


def test_each_version_has_its_own_line_and_colour():
    signals = _series([0.2, 0.2], version="a") + _series([0.1, 0.1], version="b")
    found = performance_over_time("auc", signals, []).data
    lines = [trace for trace in found if trace.name and "version" in trace.name]
    assert [line.name for line in lines] == ["version a", "version b"]
    assert lines[0].line.color != lines[1].line.color


def test_the_band_is_the_interval():
    bounded = [
        Signal("performance", EventTime(day * DAY_US), 0.5, (("version", "a"),), 0.4, 0.6, 9) for day in range(2)
    ]
    band = next(trace for trace in performance_over_time("auc", bounded, []).data if trace.fill == "toself")
    assert list(band.y) == [0.6, 0.6, 0.4, 0.4]


def test_the_band_of_the_mean_so_far_takes_the_place_of_each_windows_own():
    alone = [Signal("performance", EventTime(day * DAY_US), 0.2, (), 0.1, 0.3, 900) for day in range(3)]
    means = [Signal("performance_mean", EventTime(day * DAY_US), 0.2, (), 0.19, 0.21, day + 1) for day in range(3)]
    band = next(trace for trace in performance_over_time("auc", alone, [], means=means).data if trace.fill == "toself")
    assert set(band.y) == {0.19, 0.21}


def test_drift_leaves_unknown_cells_blank_and_counts_them():
    signals = _series([0.1, UNKNOWN], "drift", column="a") + _series([0.5, 0.6], "drift", column="b")
    drawn = drift_heat_map(signals, limit=0.3)
    picture = drawn.data[0]
    assert list(picture.y) == ["b", "a"], "most drifted on top"
    assert [list(row) for row in picture.z] == [[0.5, 0.6], [0.1, None]]
    assert "not enough data (1 of 4)" in drawn.layout.xaxis.title.text
    assert UNKNOWN.reason in picture.text[1][1]
    assert (picture.zmin, picture.zmax) == (0, 0.6), "colours keep their meaning from day to day"


def test_two_versions_in_one_window_show_the_one_with_more_rows():
    small = Signal("drift", EventTime(0), 0.9, (("column", "a"), ("version", "new")), n=5)
    large = Signal("drift", EventTime(0), 0.1, (("column", "a"), ("version", "old")), n=500)
    for order in ([small, large], [large, small]):
        assert drift_heat_map(order).data[0].z[0][0] == 0.1


def test_long_names_that_begin_alike_stay_two_rows():
    names = ["n" * 40 + "1", "n" * 40 + "2"]
    signals = [signal for name in names for signal in _series([0.1], "drift", column=name)]
    assert len(set(drift_heat_map(signals).data[0].y)) == 2


def test_a_name_is_text_and_never_a_link():
    everything = [
        drift_heat_map(_series([0.1, NotEnoughData(HOSTILE)], "drift", column=HOSTILE)),
        performance_over_time(HOSTILE, _series([0.1], version=HOSTILE), []),
        predictions_over_time(_series([1.0], version=HOSTILE), _series([0.1], version=HOSTILE), []),
        distribution(HOSTILE, *_counts({"x": np.array([HOSTILE, "b"], dtype=object)})),
    ]
    for drawn in everything:
        # Plotly makes links and bold text of `<`; only its own <br> and <extra> may stay.
        text = drawn.to_json().replace("\\u003c", "<")
        assert "<a" not in text and "&lt;a" in text


def test_predictions_without_positives_have_no_empty_picture():
    regression = predictions_over_time(_series([9.0]), _series([0.5]), [])
    assert "yaxis3" not in regression.layout.to_plotly_json()
    classes = _series([0.2], version="a", **{"class": "x"}) + _series([0.8], version="a", **{"class": "y"})
    assert len([trace for trace in predictions_over_time(_series([9.0]), classes, []).data if trace.yaxis == "y2"]) == 2


def test_latency_is_in_milliseconds():
    drawn = traffic_and_latency(_series([1.0]), _series([0.0]), _series([0.002]), _series([0.009]))
    assert [trace.y[0] for trace in drawn.data if trace.yaxis == "y2"] == [2.0, 9.0]


@pytest.mark.parametrize(
    "drawn",
    [
        performance_over_time("auc", [], []),
        drift_heat_map([]),
        predictions_over_time([], [], []),
        traffic_and_latency([], [], [], []),
    ],
    ids=["performance", "drift", "predictions", "traffic"],
)
def test_nothing_to_draw_is_said(drawn):
    assert not drawn.data and drawn.layout.annotations[0].text


def test_all_have_one_look():
    figures = [drift_heat_map(_series([0.1], "drift", column="a")), performance_over_time("auc", _series([1.0]), [])]
    assert all(drawn.layout.template == template() for drawn in figures)
    assert template().layout.font.family == FONT


def test_a_distribution_shows_the_same_bins_twice():
    columns = {"x": np.concatenate([np.arange(100.0), [np.nan]])}
    before, after = _counts(columns, {"x": np.full(50, 3.0)})
    drawn = distribution("x", before, after)
    reference, current = drawn.data
    assert reference.name == "reference" and sum(reference.y) == pytest.approx(1) and sum(current.y) == pytest.approx(1)
    assert max(current.y) == 1.0 and drawn.layout.xaxis.ticktext[-1] == "missing"


def test_many_categories_are_cut_to_the_largest():
    many = np.array([f"c{number}" for number in range(90) for _ in range(number + 1)], dtype=object)
    drawn = distribution("x", *_counts({"x": many}))
    assert len(drawn.data[0].y) == MOST_BARS and "in smaller categories" in drawn.layout.xaxis.title.text


def _counts(columns, later=None):
    layout = fit_layout(columns)
    return profile(columns, layout).columns["x"], profile(later or columns, layout).columns["x"]


def _incident(number, **more):
    at = EventTime(1_362_114_000_000_000 + number * DAY_US)
    made = {"id": f"m-{number}", "model": "m", "version": "v", "kind": "performance", "subjects": (HOSTILE,)}
    return Incident(**{**made, "since": at, "opened": EventTime(at + DAY_US), "why": HOSTILE, **more})


def test_each_incident_is_a_bar_that_ends_when_it_is_over_or_now():
    now = EventTime(1_362_114_000_000_000 + 30 * DAY_US)
    over = _incident(0, ended=EventTime(1_362_114_000_000_000 + 5 * DAY_US), state="closed")
    drawn = incident_timeline([_incident(10), over], now, "America/New_York")
    ends = [trace.x[1] for trace in drawn.data[:-1]]
    assert ends == ["2013-03-06T00:00:00", "2013-03-31T01:00:00"]
    assert len(set(drawn.layout.yaxis.categoryarray)) == 2, "two incidents that are called alike share a bar"
    assert "<a href" not in str(drawn.to_json())
    assert "no incident so far" in incident_timeline([], now).layout.annotations[0].text


def test_every_kind_of_incident_has_a_name_and_a_colour():
    assert set(COLOURS) == set(TITLES) == set(get_args(CauseKind))


def test_evidence_is_cut_and_says_what_it_was():
    drawn = evidence_over_time(_series([1e-30, 0.5, 3.0], "evidence", family="input", version="v"))
    assert list(drawn.data[0].y) == [0.001, 0.5, 3.0]
    assert list(drawn.data[0].customdata) == [1e-30, 0.5, 3.0]
    assert "no window has been judged" in evidence_over_time([]).layout.annotations[0].text


def test_calibration_is_drawn_over_the_diagonal_or_says_why_not():
    rng = np.random.default_rng(0)
    said = rng.beta(2, 5, 2_000)
    found = calibration(tally("binary", said, (rng.random(2_000) < said).astype(float)))
    drawn = calibration_curve(found, UNKNOWN)
    assert [trace.name for trace in drawn.data] == [None, "since then"]
    inside = [low <= x <= high for x, low, high in ((one.score, one.share.low, one.share.high) for one in found)]
    assert sum(inside) >= 8
    assert calibration_curve(UNKNOWN, UNKNOWN).layout.annotations[0].text == UNKNOWN.reason


def test_segments_are_lines_around_nought_and_those_without_an_interval_are_left_out():
    gaps = [("plan=new", Estimate(-0.1, -0.2, 0.0, 40)), ("plan=<b>old", Estimate(0.1, 0.0, 0.2, 40)), ("x=1", UNKNOWN)]
    (points,) = segment_differences("log_loss", gaps).data
    assert (list(points.x), list(points.y)) == ([-0.1, 0.1], ["plan=new", "plan=&lt;b&gt;old"])
    assert list(points.error_x.array) == pytest.approx([0.1, 0.1])
    assert UNKNOWN.reason in segment_differences("log_loss", gaps[2:]).layout.annotations[0].text


def test_alarm_days_are_a_whole_picture_of_text_and_marks():
    strips = [Strip("harmful days", ["2013-03-02"]), Strip(HOSTILE, ["2013-03-03", "1999-01-01"], is_ours=True)]
    days = ["2013-03-01", "2013-03-02", "2013-03-03"]
    drawn = alarm_days("loss", days, np.array([0.1, 0.3, np.nan]), 0.2, strips)
    root = ElementTree.fromstring(drawn)
    names = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert f"{HOSTILE} (1)" in names and "harmful days (1)" in names
    boxes = [box for box in root.iter("{http://www.w3.org/2000/svg}rect") if len(box)]
    assert [box[0].text for box in boxes] == ["2013-03-01: 0.100", "2013-03-02: 0.300", "2013-03-02", "2013-03-03"]
    assert "nan" not in drawn and "nan" not in alarm_days("loss", [], np.empty(0), 0.2, [])


def test_an_estimate_has_a_band_and_what_labels_said_beside_it():
    estimated = [Signal("e", one.at, one.value, (), 0.1, 0.3, 9) for one in _series([0.2, 0.21])]
    drawn = estimated_and_realised("brier", estimated, _series([0.22, UNKNOWN]))
    band, before, after = drawn.data
    assert (list(band.y), list(before.y), list(after.y)) == ([0.3, 0.3, 0.1, 0.1], [0.2, 0.21], [0.22])
    assert "nothing is estimated" in estimated_and_realised("brier", [], []).layout.annotations[0].text


def test_hours_are_drawn_over_the_band_of_usual_ones_and_not_knowing_is_said():
    hours = [Signal("hourly", EventTime(hour * DAY_US // 24), 40.0 + hour, (), 30.0, 60.0) for hour in range(3)]
    drawn = hours_over_time({"requests": hours, "latency": _series([UNKNOWN])})
    band, line = drawn.data
    assert list(band.y) == [60.0, 60.0, 60.0, 30.0, 30.0, 30.0]
    assert list(line.y) == [40.0, 41.0, 42.0]
    assert hours_over_time({"latency": _series([UNKNOWN])}).layout.annotations[0].text == "no hour is complete yet"
