"""An incident in words and cells, for shells: how much harm, and its evidence as the rows of a table.

Pages and the command line print these. It formats and decides nothing.
"""

from __future__ import annotations

from gyroscope.alerts.incident import Incident
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


def bundle_rows(incident: Incident) -> list[tuple[str, str, str, str]]:
    """Name, what it is about, value and interval of each piece of evidence."""
    return [(one.name.replace("_", " "), _about(one), _value(one), _interval(one)) for one in incident.bundle]


def _about(signal: Signal) -> str:
    return " ".join(value for _, value in signal.labels) or "-"


def _value(signal: Signal) -> str:
    return signal.value.reason if isinstance(signal.value, NotEnoughData) else f"{signal.value:.4g}"


def _interval(signal: Signal) -> str:
    return f"{signal.low:.4g} to {signal.high:.4g}" if signal.low is not None and signal.high is not None else ""
