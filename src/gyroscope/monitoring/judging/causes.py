"""From evidence to causes: an alarm of a family that also matters in practice, or a rule that was broken, in words.

`Judge` collects these and hands them on. An alarm whose effect may be too small to matter stays a reading; it is looked
at again with each later window while it lasts. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec
import numpy as np

from gyroscope.clock import DAY_US, EventTime
from gyroscope.monitoring.judging.entered import Entry
from gyroscope.monitoring.judging.practical import Moved, worse
from gyroscope.monitoring.judging.tracks import Track
from gyroscope.records import Cause, CauseKind, NotEnoughData, Signal
from gyroscope.stats.evidence import Alarm
from gyroscope.stats.evidence.alarms import CALM_WINDOWS
from gyroscope.stats.performance import PerformanceStream, matters_at
from gyroscope.stats.quality import Finding

MOST_SUBJECTS = 12

SOON_US = 7 * DAY_US

INFORMING: tuple[CauseKind, ...] = ("input", "relation")
"""What explains and wakes nobody: harm shows in performance, estimated or realised."""

Look = Callable[[Alarm, int], list[Moved]]
"""What of an alarm has moved enough to matter, as of the window at a place."""


class About(msgspec.Struct, frozen=True):
    """Whose windows these are."""

    model: str
    version: str


def broken(about: About, entries: Sequence[Entry]) -> list[Cause]:
    """One cause per column and rule, from the first window that broke it until three in a row did not."""
    runs: list[tuple[Finding, int, int]] = []
    open_runs: dict[tuple[str, str], int] = {}
    for place, entry in enumerate(entries):
        for found in entry.findings:
            key = (found.kind.value, found.column)
            at = open_runs.get(key)
            if at is None or place - runs[at][2] > CALM_WINDOWS:
                open_runs[key] = len(runs)
                runs.append((found, place, place))
            else:
                runs[at] = (runs[at][0], runs[at][1], place)
    return continued([_broken(about, entries, *run) for run in runs])


def drifts(about: About, track: Track, look: Look) -> Iterator[Cause]:
    """Alarms of a family of column streams, each as soon as its effect matters."""
    for alarm in track.course.alarms:
        yield from _when_it_matters(about, track, alarm, look)


def falls(about: About, track: Track, streams: Mapping[str, PerformanceStream], tolerance: float) -> Iterator[Cause]:
    """Alarms of performance, realised or estimated, each as soon as it has surely changed enough to matter."""
    for alarm in track.course.alarms:
        last, found = track.seen.get((alarm.at, alarm.names), (alarm.at - 1, []))
        if not found and last + 1 < _end(track, alarm):
            at = matters_at(alarm, track.current, track.baselines, least_share=tolerance)
            last = _end(track, alarm) - 1 if isinstance(at, NotEnoughData) else at
            found = [] if isinstance(at, NotEnoughData) else worse(alarm, at, track, streams, tolerance)
        track.seen[alarm.at, alarm.names] = last, found
        if found:
            yield _cause(about, track, alarm, last, found)


def continued(causes: Sequence[Cause]) -> list[Cause]:
    """What is back within a week of its end is no new cause: the first of them goes on."""
    found: list[Cause] = []
    for cause in causes:
        before = next((one for one in reversed(found) if set(one.subjects) & set(cause.subjects)), None)
        if before is not None and before.ended is not None and cause.since - before.ended <= SOON_US:
            ended = None if cause.ended is None else max(before.ended, cause.ended)
            found[found.index(before)] = msgspec.structs.replace(before, ended=ended, pages=before.pages or cause.pages)
        else:
            found.append(cause)
    return found


def settled(causes: Iterable[Cause], upto: Mapping[tuple[str, CauseKind], EventTime]) -> Iterator[Cause]:
    """The same, those marked that ended more than a week before the newest window judged: they do not go on."""
    for cause in causes:
        is_over = cause.ended is not None and upto.get((cause.version, cause.kind), cause.ended) - cause.ended > SOON_US
        yield msgspec.structs.replace(cause, is_settled=True) if is_over else cause


def _when_it_matters(about: About, track: Track, alarm: Alarm, look: Look) -> Iterator[Cause]:
    end = _end(track, alarm)
    last, found = track.seen.get((alarm.at, alarm.names), (alarm.at - 1, []))
    while not found and last + 1 < end:
        last += 1
        found = look(alarm, last)
    track.seen[alarm.at, alarm.names] = last, found
    if found:
        yield _cause(about, track, alarm, last, found)


def _end(track: Track, alarm: Alarm) -> int:
    """The window after the last in which an alarm stands."""
    return len(track.entries) if alarm.closed is None else alarm.closed + 1


def _cause(about: About, track: Track, alarm: Alarm, last: int, found: list[Moved]) -> Cause:
    since, seen = track.entries[alarm.since].window.start, track.entries[last].window.start
    evidence = Signal("evidence", seen, alarm.mass, (("family", track.family),))
    gaps = [one.gap for one in found if not isinstance(one.gap, NotEnoughData)]
    rows = _rows_a_day(track.entries[alarm.since : last + 1])
    return Cause(
        model=about.model,
        version=about.version,
        kind=track.kind,
        subjects=tuple(dict.fromkeys(one.subject for one in found))[:MOST_SUBJECTS],
        since=since,
        seen=seen,
        ended=None if alarm.closed is None else track.entries[alarm.closed].window.end,
        reason=_sentence(found),
        harm_per_day=max(gaps) * rows if gaps else NotEnoughData("labels or an estimate would tell"),
        pages=track.kind not in INFORMING,
        bundle=(evidence, *(signal for one in found[:MOST_SUBJECTS] for signal in one.signals(seen))),
    )


def _sentence(found: list[Moved]) -> str:
    more = f"; and {len(found) - 2} more" if len(found) > 2 else ""
    return "; ".join(one.text for one in found[:2]) + more


def _broken(about: About, entries: Sequence[Entry], found: Finding, first: int, last: int) -> Cause:
    at = entries[first].window.start
    is_over = len(entries) - 1 - last >= CALM_WINDOWS
    kind: CauseKind = "quality"
    figures = tuple(Signal(name, at, value, (("rule", found.kind.value),)) for name, value in found.figures.items())
    subject = found.column or found.kind.value.replace("_", " ")
    return Cause(
        model=about.model,
        version=about.version,
        kind=kind,
        subjects=(subject,),
        since=at,
        seen=at,
        ended=entries[last].window.end if is_over else None,
        reason=f"{found.column}: {found.reason}" if found.column else found.reason,
        harm_per_day=min(found.figures.get("share", 1.0), 1.0) * _rows_a_day(entries[first : last + 1]),
        bundle=figures,
    )


def _rows_a_day(entries: Sequence[Entry]) -> float:
    length = sum(entry.window.end - entry.window.start for entry in entries) / DAY_US
    return float(np.sum([entry.rows for entry in entries])) / length if length else 0.0
