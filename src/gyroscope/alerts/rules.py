"""A rule on a signal: quiet, pending, firing and quiet again, by the event time of one point after another. Pure.

`watch.py` feeds it complete windows only, each once. What is not known fires nothing and ends nothing.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from gyroscope.clock import DAY_US, SECOND_US, EventTime, iso
from gyroscope.records import Cause, NotEnoughData, Signal
from gyroscope.settings_alerts import RuleSettings

Phase = Literal["quiet", "pending", "firing"]

MOST_FIRINGS = 8
MOST_DOUBLINGS = 2
SUBJECTS = ("column", "metric", "class", "family", "notifier", "name")
"""Labels that say what a series is about."""


class Firing(msgspec.Struct, frozen=True):
    """One stretch in which a rule fired: the first point beyond, the one with which it fired, the first one back.

    `comebacks`: how often it was back before it was sure to be over.
    """

    since: EventTime
    seen: EventTime
    value: float
    ended: EventTime | None = None
    comebacks: int = 0

    def is_back(self, at: EventTime, soon_us: int) -> bool:
        """Whether what is beyond at a moment is this again: the first two times it came back double that."""
        return self.ended is not None and at - self.ended <= soon_us << min(self.comebacks, MOST_DOUBLINGS)


class Followed(msgspec.Struct, frozen=True):
    """A rule on one series, as of the newest point it was given.

    `is_known` is False while the newest point has no value. `beyond_since` and `back_since` begin the current run.
    """

    phase: Phase = "quiet"
    is_known: bool = False
    newest: EventTime = EventTime(-(1 << 62))
    beyond_since: EventTime | None = None
    back_since: EventTime | None = None
    firings: tuple[Firing, ...] = ()

    @property
    def state(self) -> str:
        """For people: the phase, or `unknown`."""
        return self.phase if self.is_known or self.phase == "firing" else "unknown"


def follow(rule: RuleSettings, before: Followed, point: Signal, soon_us: int) -> Followed:
    """The rule after one more point. What fires again within `soon_us` of its end goes on.

    >>> rule = RuleSettings(signal="drift", threshold=0.3, hysteresis=0.1)
    >>> now = follow(rule, Followed(), Signal("drift", EventTime(5), 0.4), 0)
    >>> now.phase, follow(rule, now, Signal("drift", EventTime(6), 0.25), 0).phase
    ('firing', 'firing')
    >>> follow(rule, now, Signal("drift", EventTime(6), 0.19), 0).firings[-1].ended
    6
    """
    at = point.at
    if isinstance(point.value, NotEnoughData):
        phase: Phase = "firing" if before.phase == "firing" else "quiet"
        return Followed(phase, False, at, firings=before.firings)
    past = point.value - rule.threshold if rule.when == "above" else rule.threshold - point.value
    known = msgspec.structs.replace(before, is_known=True, newest=at)
    if past > 0:
        return _beyond(rule, known, point.value, soon_us)
    if before.phase == "firing":
        return _back(rule, known, is_clear=past <= -rule.hysteresis)
    return Followed("quiet", True, at, firings=before.firings)


def _beyond(rule: RuleSettings, now: Followed, value: float, soon_us: int) -> Followed:
    since = now.newest if now.beyond_since is None else now.beyond_since
    now = msgspec.structs.replace(now, beyond_since=since, back_since=None)
    if now.phase == "firing":
        return now
    if now.newest - since < rule.for_s * SECOND_US:
        return msgspec.structs.replace(now, phase="pending")
    last = now.firings[-1] if now.firings else None
    if last is not None and last.is_back(since, soon_us):
        again = msgspec.structs.replace(last, ended=None, comebacks=last.comebacks + 1)
        firings = (*now.firings[:-1], again)
    else:
        firings = (*now.firings, Firing(since, now.newest, value))[-MOST_FIRINGS:]
    return msgspec.structs.replace(now, phase="firing", firings=firings)


def _back(rule: RuleSettings, now: Followed, *, is_clear: bool) -> Followed:
    """Between the threshold and where it is clear it neither ends nor goes on ending."""
    now = msgspec.structs.replace(now, beyond_since=None)
    if not is_clear:
        return msgspec.structs.replace(now, back_since=None)
    since = now.newest if now.back_since is None else now.back_since
    if now.newest - since < rule.clear_for_s * SECOND_US:
        return msgspec.structs.replace(now, back_since=since)
    over = msgspec.structs.replace(now.firings[-1], ended=since)
    return Followed("quiet", True, now.newest, firings=(*now.firings[:-1], over))


def causes(name: str, rule: RuleSettings, labels: dict[str, str], now: Followed, soon_us: int) -> list[Cause]:
    """What fired on one series, as causes of incidents; those that ended long ago do not come back."""
    subjects = [name, *(labels[key] for key in SUBJECTS if labels.get(key))]
    about = " ".join(subjects[1:])
    return [
        Cause(
            model=labels.get("model") or "house",
            version=labels.get("version", ""),
            kind="rule",
            subjects=tuple(dict.fromkeys(subjects)),
            since=one.since,
            seen=one.seen,
            ended=one.ended,
            is_settled=one.ended is not None and not one.is_back(now.newest, soon_us),
            pages=rule.severity == "page",
            reason=_sentence(rule, about, one),
            bundle=(Signal(rule.signal, one.seen, one.value, tuple(sorted(labels.items()))),),
        )
        for one in now.firings
    ]


def _sentence(rule: RuleSettings, about: str, one: Firing) -> str:
    lasted = f" for {_span(one.seen - one.since)}" if one.seen > one.since else ""
    return f"{rule.signal}{f' of {about}' if about else ''} is {one.value:.4g}, {rule.when} {rule.threshold:g}{lasted}"


def _span(length_us: int) -> str:
    """In the largest unit that is whole enough.

    >>> _span(2 * DAY_US), _span(90 * SECOND_US)
    ('2 days', '90 s')
    """
    return f"{length_us / DAY_US:.3g} days" if length_us >= DAY_US else f"{length_us / SECOND_US:.4g} s"


def told(name: str, labels: dict[str, str], now: Followed) -> Signal:
    """The signal `rule`: 1 while it fires, 0.5 while it is pending, 0 while it is quiet; unknown when it is."""
    value = {"firing": 1.0, "pending": 0.5, "quiet": 0.0}[now.phase]
    text = f"{iso(now.newest)[:19]} has no value" if now.newest > 0 else "no complete window yet"
    is_known = now.state != "unknown"
    more = tuple(sorted({**labels, "rule": name}.items()))
    return Signal("rule", now.newest, value if is_known else NotEnoughData(text), more)
