"""An incident in words and cells, for shells: how much harm, and its evidence as the rows of a table.

Pages and the command line print these. It formats and decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from gyroscope.alerts.incident import Incident
from gyroscope.alerts.outbox import Letter
from gyroscope.clock import EventTime, iso
from gyroscope.records import NotEnoughData, Signal


def harm_text(incident: Incident) -> str:
    """What it costs a day, in rows: the gap times the rows of a day.

    >>> from gyroscope.clock import EventTime
    >>> made = {"id": "m-1", "model": "m", "version": "v", "kind": "quality", "subjects": (), "why": ""}
    >>> harm_text(Incident(**made, since=EventTime(0), opened=EventTime(0), harm_per_day=45.2))
    'about 45 rows a day'
    """
    harm = incident.harm_per_day
    if isinstance(harm, NotEnoughData):
        return "not known"
    return f"about {harm:,.0f} rows a day" if harm >= 1 else "less than a row a day"


def state_text(incident: Incident, now: EventTime) -> str:
    """The state, and what it means for those who would be told; `now` is wall time."""
    if not incident.pages:
        return f"{incident.state}, for information: it pages nobody"
    if incident.is_standing and incident.snoozed_until > now:
        return f"{incident.state}, snoozed until {iso(incident.snoozed_until)[:16].replace('T', ' ')}"
    return incident.state


def letter_rows(letters: Sequence[Letter]) -> list[tuple[str, str, str, str]]:
    """When it was decided, who is told what, and how the delivery stands."""
    return [
        (iso(one.notice.at)[:16].replace("T", " "), one.notifier, one.notice.happened, _progress(one))
        for one in letters
    ]


def _progress(letter: Letter) -> str:
    if letter.progress == "delivered" or not letter.tries:
        return letter.progress
    again = f", next at {iso(letter.next_at)[11:19]}" if letter.progress == "waiting" else ""
    return f"{letter.progress} after {letter.tries} tries{again}: {letter.said}"


def bundle_rows(incident: Incident) -> list[tuple[str, str, str, str]]:
    """Name, what it is about, value and interval of each piece of evidence."""
    return [(one.name.replace("_", " "), _about(one), _value(one), _interval(one)) for one in incident.bundle]


def _about(signal: Signal) -> str:
    return " ".join(value for _, value in signal.labels) or "-"


def _value(signal: Signal) -> str:
    return signal.value.reason if isinstance(signal.value, NotEnoughData) else f"{signal.value:.4g}"


def _interval(signal: Signal) -> str:
    return f"{signal.low:.4g} to {signal.high:.4g}" if signal.low is not None and signal.high is not None else ""
