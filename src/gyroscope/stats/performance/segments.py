"""Performance by segment: outcomes of the rows of each value of a column, and the streams that windows of them make.

Monitoring tallies these for the columns that `monitor.segments` names. Segments of one column part the rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from gyroscope.errors import StoreError
from gyroscope.records import Task
from gyroscope.stats.arrays import Floats
from gyroscope.stats.performance.outcomes import Outcomes
from gyroscope.stats.performance.scales import SCALES
from gyroscope.stats.performance.streams import PerformanceStream, Series

if TYPE_CHECKING:
    from gyroscope.stats.evidence import Streams

_FORM, _NUMBER = "gyroscope.segments", 1

MOST_SEGMENTS = 50
"""Segments that share evidence, those with the most rows: each more makes all of them slower to see."""

Point = tuple[float, float, float]
"""Value on the metric's scale, variance of one row's part in it, rows."""

_NOTHING = Series(np.empty(0), np.empty(0), np.empty(0))


class SegmentOutcomes(msgspec.Struct, frozen=True):
    """The outcomes of each segment by its name, such as `carrier=AA`.

    Examples
    --------
    >>> from gyroscope.stats.performance import tally
    >>> one = SegmentOutcomes({"plan=new": tally("binary", np.array([0.9]), np.array([1]))})
    >>> one.merge(one).parts["plan=new"].n, SegmentOutcomes.from_bytes(one.to_bytes()) == one
    (2, True)
    """

    parts: dict[str, Outcomes] = {}

    def merge(self, other: SegmentOutcomes) -> SegmentOutcomes:
        """Of the rows of both, exactly."""
        whole = dict(self.parts)
        for name, outcomes in other.parts.items():
            whole[name] = whole[name].merge(outcomes) if name in whole else outcomes
        return SegmentOutcomes(whole)

    def scaled(self, weight: int) -> SegmentOutcomes:
        """As if every row had been there `weight` times; `weight` is at least 1."""
        return SegmentOutcomes({name: outcomes.scaled(weight) for name, outcomes in self.parts.items()})

    def to_bytes(self) -> bytes:
        """The frozen form, version 1."""
        packed = {name: outcomes.to_bytes() for name, outcomes in sorted(self.parts.items())}
        return msgspec.msgpack.encode(_Wire(_FORM, _NUMBER, packed))

    @staticmethod
    def from_bytes(packed: bytes) -> SegmentOutcomes:
        """What `to_bytes` wrote.

        Raises
        ------
        StoreError
            When the bytes are damaged, or no segments, or of a version this release does not know.
        """
        try:
            wire = msgspec.msgpack.decode(packed, type=_Wire)
            if (wire.form, wire.number) != (_FORM, _NUMBER):
                raise ValueError(f"it says {wire.form!r} number {wire.number}")
        except (msgspec.DecodeError, ValueError) as damage:
            raise StoreError(
                f"these are no segments of form {_NUMBER}: {damage}",
                where=f"{len(packed)} bytes",
                fix="tally the rows again",
            ) from damage
        return SegmentOutcomes({name: Outcomes.from_bytes(part) for name, part in wire.parts.items()})


class _Wire(msgspec.Struct, array_like=True):
    form: str
    number: int
    parts: dict[str, bytes]


def segment_points(segments: SegmentOutcomes, metrics: Sequence[str]) -> dict[str, Point]:
    """The point of each segment and metric of one window, by `segment:metric`.

    Parameters
    ----------
    segments : SegmentOutcomes
    metrics : sequence of str

    Returns
    -------
    dict of str to (y, s2, rows)
        Without what has too few rows behind it, 30 (20 of the rarer class for AUC and average precision).

    Examples
    --------
    >>> from gyroscope.stats.performance import tally
    >>> day = SegmentOutcomes({"plan=new": tally("binary", np.full(40, 0.5), np.arange(40) % 2)})
    >>> segment_points(day, ["brier"])
    {'plan=new:brier': (0.25, 0.0, 40.0)}
    """
    found = {}
    for name, outcomes in segments.parts.items():
        for metric in metrics:
            scale = SCALES[outcomes.task][metric]
            point = scale.measure(outcomes, math.inf)
            if point.support >= scale.least and math.isfinite(point.y) and math.isfinite(point.s2):
                found[f"{name}:{metric}"] = (point.y, point.s2, point.rows)
    return found


def segment_streams(
    task: Task, normal: Sequence[Mapping[str, Point]], later: Sequence[Mapping[str, Point]]
) -> tuple[Streams, Streams, dict[str, PerformanceStream]]:
    """Streams of segments over normal and over later windows, as `as_streams` makes them of the whole.

    Parameters
    ----------
    task : str
    normal, later : sequences of `segment_points`, lengths D and T
        Windows in order of time.

    Returns
    -------
    (Streams, Streams, dict of str to PerformanceStream)
        Of the 50 segments with the most rows in normal windows, of equal weight, named `performance:segment:metric`;
        and what says their unit and the rows of later windows, by `segment:metric`.

    Notes
    -----
    The variance of one row's part is pooled over the normal windows where the whole's is.

    Examples
    --------
    >>> days = [{"plan=new:brier": (0.2 + day / 100, 0.04, 50.0)} for day in range(3)]
    >>> before, after, about = segment_streams("binary", days, [{}, *days[:1]])
    >>> before.names, after.y.tolist(), about["plan=new:brier"].side
    (('performance:plan=new:brier',), [[nan, 0.2]], 1)
    """
    from gyroscope.stats.evidence import Streams  # the engine needs scipy; a replica starts without it

    names = _largest(normal)
    scales = [SCALES[task][name.rpartition(":")[2]] for name in names]
    tables = [_table(names, windows) for windows in (normal, later)]
    pooled = _pooled(tables[0])
    is_pooled = np.array([scale.is_pooled for scale in scales], bool)[:, np.newaxis]
    sides, one = np.array([scale.side for scale in scales], np.int64), np.ones(len(names))
    titles = tuple(f"performance:{name}" for name in names)
    streams = []
    for table in tables:
        y, own, rows = table[..., 0], table[..., 1], table[..., 2]
        within = np.where(is_pooled, pooled[:, np.newaxis], own) / rows
        streams.append(Streams(titles, y, within, sides, one, 0 * one))
    rows = tables[1][..., 2]
    about = {
        name: PerformanceStream(
            task,
            name.rpartition(":")[2],
            scale.side,
            float(pooled[k]),
            _NOTHING,
            Series(streams[1].y[k], streams[1].within[k], rows[k]),
        )
        for k, (name, scale) in enumerate(zip(names, scales, strict=True))
    }
    return streams[0], streams[1], about


def rest_of(segment: str, segments: SegmentOutcomes) -> Outcomes | None:
    """The rows of all other segments of a segment's column; None without any.

    Examples
    --------
    >>> from gyroscope.stats.performance import tally
    >>> one, two = (tally("binary", np.full(n, 0.9), np.ones(n)) for n in (1, 2))
    >>> rest_of("plan=new", SegmentOutcomes({"plan=new": one, "plan=old": two, "age=3": one})).n
    2
    """
    column = segment.partition("=")[0]
    others = [
        part for name, part in segments.parts.items() if name != segment and name.partition("=")[0] == column and part.n
    ]
    return reduce(Outcomes.merge, others) if others else None


def _largest(normal: Sequence[Mapping[str, Point]]) -> list[str]:
    rows: dict[str, float] = {}
    for window in normal:
        for name, point in window.items():
            rows[name] = rows.get(name, 0.0) + point[2]
    return sorted(sorted(rows, key=lambda name: (-rows[name], name))[:MOST_SEGMENTS])


def _table(names: Sequence[str], windows: Sequence[Mapping[str, Point]]) -> Floats:
    """Of each name and window y, s2 and rows, shape (S, T, 3); NaN where absent."""
    absent = (math.nan, math.nan, math.nan)
    found = np.array([[window.get(name, absent) for window in windows] for name in names], np.float64)
    return found.reshape(len(names), len(windows), 3)


def _pooled(normal: Floats) -> Floats:
    """Variance of one row's part over all normal windows; each lost one degree of freedom to its own mean."""
    s2, rows = np.nan_to_num(normal[..., 1]), np.nan_to_num(normal[..., 2])
    freedom = np.maximum((rows - (rows > 0)).sum(axis=1), 1.0)
    pooled: Floats = (rows * s2).sum(axis=1) / freedom
    return pooled
