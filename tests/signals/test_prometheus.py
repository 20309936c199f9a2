"""The text that Prometheus scrapes, checked by Prometheus' own tool."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from gyroscope.clock import EventTime
from gyroscope.records import NotEnoughData, Signal
from gyroscope.signals import Family, Histogram, Sample, exposition, gauges

NASTY = 'a "quoted" \\ back\nslash'

FAMILIES = [
    Family("gyroscope_requests", "counter", "Requests answered.", (Sample(12, (("model", "m"), ("code", "2xx"))),)),
    Family("gyroscope_nasty", "gauge", "A help with \\ and\na second line.", (Sample(0.1, (("label", NASTY),)),)),
    Family(
        "gyroscope_latency_seconds",
        "histogram",
        "Time from request to reply.",
        (Histogram((0.001, 0.01), (5, 3, 1), 0.25, (("model", "m"),)),),
    ),
    *gauges(
        [
            Signal("requests_per_s", EventTime(0), 300.0, (("model", "m"),)),
            Signal("latency_p99_s", EventTime(0), 0.004, (("model", "m"),)),
            Signal("drift", EventTime(0), 0.25, (("column", "dep_hour"), ("model", "m"))),
            Signal("drift", EventTime(0), NotEnoughData("no reference"), (("column", "carrier"), ("model", "m"))),
        ],
        {"drift": "Effect size of drift against the reference."},
    ),
]


@pytest.mark.peer
def test_promtool_finds_nothing_to_complain_about() -> None:
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is not installed: apt-get install prometheus")
    done = subprocess.run([tool, "check", "metrics"], input=exposition(FAMILIES).encode(), capture_output=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_a_histogram_is_cumulative_and_ends_in_infinity() -> None:
    lines = exposition(FAMILIES).splitlines()
    assert [line for line in lines if line.startswith("gyroscope_latency_seconds_")] == [
        'gyroscope_latency_seconds_bucket{model="m",le="0.001"} 5',
        'gyroscope_latency_seconds_bucket{model="m",le="0.01"} 8',
        'gyroscope_latency_seconds_bucket{model="m",le="+Inf"} 9',
        'gyroscope_latency_seconds_sum{model="m"} 0.25',
        'gyroscope_latency_seconds_count{model="m"} 9',
    ]


def test_labels_and_help_are_escaped_on_one_line() -> None:
    text = exposition(FAMILIES)
    assert r'gyroscope_nasty{label="a \"quoted\" \\ back\nslash"} 0.1' in text
    assert r"# HELP gyroscope_nasty A help with \\ and\na second line." in text


def test_what_is_not_known_is_left_out() -> None:
    text = exposition(FAMILIES)
    assert "carrier" not in text
    unknown = Family("a", "gauge", "A.", (Sample(float("nan")),))
    broken = Family("b", "histogram", "B.", (Histogram((1.0,), (0, 0), float("nan")),))
    assert exposition([unknown, broken, Family("c", "gauge", "C.", ())]) == ""


def test_infinite_large_and_negative_numbers() -> None:
    samples = tuple(Sample(value) for value in (float("inf"), float("-inf"), -2.0, 1e300, 2**60))
    numbers = [line.split()[1] for line in exposition([Family("x", "gauge", "X.", samples)]).splitlines()[2:]]
    assert numbers == ["+Inf", "-Inf", "-2", "1e+300", "1.152921504606847e+18"]
