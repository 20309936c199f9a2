"""Whether a change matters: its size since it began, with an interval beyond the least that is of interest.

`causes` asks this of every alarm; it can only make incidents rarer. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from gyroscope.clock import EventTime
from gyroscope.monitoring.judging.entered import Entry
from gyroscope.monitoring.judging.normal import Normal, column_of
from gyroscope.monitoring.judging.tracks import Track
from gyroscope.records import CauseKind, NotEnoughData, Signal
from gyroscope.stats.drift import DriftEffect, drift
from gyroscope.stats.evidence import Alarm, Member
from gyroscope.stats.evidence.alarms import describe
from gyroscope.stats.performance import Estimate, PerformanceStream, least_change, share_estimate
from gyroscope.stats.profiles import CategoryBins, ColumnCounts, NumericBins, Profile

RISE, RISE_TIMES = 0.005, 1.5
"""A share of missing, new or out-of-range values must have risen by half a percentage point and by half."""

SHARES = ("missing", "new", "other", "below", "above")
WORDS: dict[CauseKind, str] = {"estimate": "estimated ", "relation": "what labels say less what was estimated, "}
RELATIVE = frozenset({"mae", "rmse", "log_loss"})


class Moved(msgspec.Struct, frozen=True):
    """One thing that changed enough to matter: what, in words, by how much, and from where to where where it is known.

    `gap` is harm per row, 0 to 1 or relative to the reference.
    """

    subject: str
    text: str
    effect: Estimate
    unit: str
    gap: float | NotEnoughData = NotEnoughData("a change of the data alone")
    before: float | NotEnoughData = NotEnoughData("not one number")
    now: float | NotEnoughData = NotEnoughData("not one number")

    def signals(self, at: EventTime) -> list[Signal]:
        """As evidence: the effect, and the levels before and since."""
        about = (("of", self.subject),)
        effect = self.effect
        found = [Signal(self.unit, at, effect.value, about, effect.low, effect.high, round(effect.n))]
        levels = (("before", self.before), ("since", self.now))
        return found + [Signal(name, at, v, about) for name, v in levels if not isinstance(v, NotEnoughData)]


def drifted(alarm: Alarm, normal: Normal, current: Profile, windows: int) -> list[Moved]:
    """The columns of an alarm that have moved enough to matter; `current` are all rows of so many windows since."""
    columns = tuple(normal.total.columns)
    found: dict[str, Moved] = {}
    for member in alarm.members:
        column = column_of(member.name, columns)
        what = member.name[len(column) + 1 :]
        before, now = normal.total.columns[column], current.columns[column]
        moved = (
            _share(column, what, before, now)
            if member.name == f"{column}:{what}" and what in SHARES
            else _effect(column, normal, now, windows)
        )
        if moved is not None:
            found.setdefault(column, moved)
    return list(found.values())


def worse(
    alarm: Alarm, last: int, track: Track, streams: Mapping[str, PerformanceStream], tolerance: float
) -> list[Moved]:
    """The metrics of an alarm that have surely changed since, as of a window, by more than normal windows differ.

    `tolerance` is that in standard deviations between normal windows; `matters_at` says from which window on there are
    any.
    """
    names, baselines = track.baselines.names, track.baselines
    rows = [names.index(name) for name in alarm.names]
    z, needed = track.course.z[:, alarm.since : last + 1], least_change(baselines, least_share=tolerance)
    members = describe(rows, np.ones(len(names)), z, track.pooled(alarm.since, last), baselines)
    found = []
    for row, member in zip(rows, members, strict=True):
        name = member.name.partition(":")[2]
        stream = streams[name]
        sure = {1: member.low, -1: -member.high, 0: max(member.low, -member.high)}[stream.side]
        if sure > needed[row]:
            moved = _worse(member, float(baselines.mean[row]), stream, track)
            segment = name.rpartition(":")[0]
            found.append(
                _within(segment, moved, stream, track.entries, slice(alarm.since, last + 1)) if segment else moved
            )
    return found


def _worse(member: Member, mean: float, stream: PerformanceStream, track: Track) -> Moved:
    points = (mean, mean + member.effect, mean + member.low, mean + member.high)
    before, now, low, high = (float(value) for value in stream.natural(np.array(points)))
    low, high = sorted((low - before, high - before))
    change = Estimate(now - before, low, high, sum(entry.rows for entry in track.entries[-1:]))
    metric = stream.metric
    gap = abs(now - before) / (abs(before) or 1.0) if metric in RELATIVE else abs(now - before)
    words = WORDS.get(track.kind, "") + metric.replace("_", " ")
    text = f"{words} {before:.3g} -> {now:.3g} ({change.low:+.3g} to {change.high:+.3g})"
    return Moved(metric, text, change, "change", gap, before, now)


def _within(segment: str, moved: Moved, stream: PerformanceStream, entries: Sequence[Entry], windows: slice) -> Moved:
    """What moved in a segment alone: its rows are a part of all, and so is the harm per row of all."""
    rows = sum(entry.rows for entry in entries[windows])
    share = float(np.nansum(stream.current.rows[windows])) / max(rows, 1)
    gap = moved.gap if isinstance(moved.gap, NotEnoughData) else moved.gap * min(share, 1.0)
    said = f"{moved.subject} of {segment}"
    text = moved.text.replace(stream.metric.replace("_", " "), said.replace("_", " ", 1), 1)
    return msgspec.structs.replace(moved, subject=said, text=text, gap=gap)


def _effect(column: str, normal: Normal, now: ColumnCounts, windows: int) -> Moved | None:
    before, icc = normal.total.columns[column], normal.icc.get(column, 0.0)
    moved = drift(before, now, icc, reference_windows=len(normal.profiles), current_windows=windows)
    if not isinstance(moved, DriftEffect) or moved.low <= normal.policy.minimum_effect:
        return None
    effect = Estimate(moved.effect, moved.low, moved.high, moved.current_n)
    text = f"{column} moved by w = {moved.effect:.2f} ({moved.low:.2f} to {moved.high:.2f})"
    if isinstance(before.bins, CategoryBins):
        return Moved(column, text + _category(before, now), effect, "effect_w")
    means = (before.mean, now.mean)
    if not any(isinstance(mean, NotEnoughData) for mean in means):
        text += f", mean {before.mean:.4g} -> {now.mean:.4g}"
    return Moved(column, text, effect, "effect_w", before=before.mean, now=now.mean)


def _category(before: ColumnCounts, now: ColumnCounts) -> str:
    """The category whose share changed most."""
    shares = (before.shares, now.shares)
    if isinstance(shares[0], NotEnoughData) or isinstance(shares[1], NotEnoughData):
        return ""
    labels = (*before.bins.labels, "infinite", "missing")
    most = int(np.abs(shares[1] - shares[0]).argmax())
    return f", {labels[most]} {shares[0][most]:.1%} -> {shares[1][most]:.1%}"


def _share(column: str, what: str, before: ColumnCounts, now: ColumnCounts) -> Moved | None:
    was, n = _count(before, what) / max(before.n, 1), now.n
    found = share_estimate(_count(now, what), n)
    if isinstance(found, NotEnoughData) or found.low - was <= RISE or found.value < RISE_TIMES * was:
        return None
    words = {"below": "below the reference", "above": "above the reference", "new": "unknown categories"}
    text = f"{column}: {words.get(what, what)} {was:.1%} -> {found.value:.1%} of rows"
    rise = Estimate(found.value - was, found.low - was, found.high - was, n)
    return Moved(column, text, rise, "share_rise", before=was, now=found.value)


def _count(counts: ColumnCounts, what: str) -> int:
    if what == "missing":
        return counts.missing
    if isinstance(counts.bins, NumericBins):
        return int(counts.counts[0 if what == "below" else -1])
    return int(counts.counts[-2 if what == "other" else -1])
