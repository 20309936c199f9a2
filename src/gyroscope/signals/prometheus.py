"""Signals and counters as Prometheus text, format 0.0.4. Pure: records in, text out.

The control process calls this for `/metrics`. What is not known is left out: a scrape never sees NaN.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Literal

import msgspec

from gyroscope.records import NotEnoughData, Signal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[tuple[str, str], ...]


class Sample(msgspec.Struct, frozen=True):
    """One number with its labels."""

    value: float
    labels: Labels = ()


class Histogram(msgspec.Struct, frozen=True):
    """Counts per bucket, one more than `bounds` (the last is everything above), and the sum of what was observed."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float
    labels: Labels = ()


class Family(msgspec.Struct, frozen=True):
    """All samples of one name. The name of a counter is written with `_total`."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    samples: tuple[Sample | Histogram, ...]


def exposition(families: Iterable[Family]) -> str:
    """The text of a scrape; families without a finite sample are left out.

    >>> print(exposition([Family("rows", "counter", "Rows answered.", (Sample(3, (("model", "flights"),)),))]), end="")
    # HELP rows_total Rows answered.
    # TYPE rows_total counter
    rows_total{model="flights"} 3
    """
    lines: list[str] = []
    for family in families:
        name = _name(family)
        body = [line for sample in family.samples for line in _lines(name, sample)]
        if body:
            lines += [f"# HELP {name} {_escape_help(family.help)}", f"# TYPE {name} {family.kind}", *body]
    return "".join(f"{line}\n" for line in lines)


def gauges(signals: Iterable[Signal], helps: Mapping[str, str], prefix: str = "gyroscope_") -> list[Family]:
    """One gauge family per signal name, of the signals whose value is known; units are spelled out.

    >>> known, unknown = Signal("latency_p99_s", 0, 0.004), Signal("auc", 0, NotEnoughData("no label"))
    >>> [family.name for family in gauges([known, unknown], {})]
    ['gyroscope_latency_p99_seconds']
    """
    samples: dict[str, list[Sample | Histogram]] = {}
    for signal in signals:
        if not isinstance(signal.value, NotEnoughData):
            samples.setdefault(signal.name, []).append(Sample(signal.value, signal.labels))
    families = []
    for name, found in sorted(samples.items()):
        text = helps.get(name, f"Newest value of the signal {name}.")
        families.append(Family(prefix + _spelled_out(name), "gauge", text, tuple(found)))
    return families


def _name(family: Family) -> str:
    name = re.sub(r"[^a-zA-Z0-9_:]", "_", family.name)
    if family.kind == "counter" and not name.endswith("_total"):
        name += "_total"
    return f"_{name}" if name[:1].isdigit() else name


def _spelled_out(name: str) -> str:
    """Prometheus wants whole words for units: `_s` becomes `_seconds`, `_per_s` becomes `_per_second`."""
    if name.endswith("_per_s"):
        return f"{name}econd"
    return f"{name}econds" if name.endswith("_s") else name


def _lines(name: str, sample: Sample | Histogram) -> list[str]:
    if isinstance(sample, Sample):
        return [f"{name}{_braces(sample.labels)} {_number(sample.value)}"] if not math.isnan(sample.value) else []
    if math.isnan(sample.total):
        return []
    bounds = [*map(_number, sample.bounds), "+Inf"]
    buckets = zip(bounds, accumulate(sample.counts), strict=True)
    lines = [f"{name}_bucket{_braces((*sample.labels, ('le', bound)))} {count}" for bound, count in buckets]
    lines.append(f"{name}_sum{_braces(sample.labels)} {_number(sample.total)}")
    lines.append(f"{name}_count{_braces(sample.labels)} {sum(sample.counts)}")
    return lines


def _braces(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{re.sub(r"[^a-zA-Z0-9_]", "_", key)}="{_escape(value)}"' for key, value in labels) + "}"


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(float(value))


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _escape_help(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")
