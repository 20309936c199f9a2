"""`GET /incidents/{incident}`: one incident as a page; `GET /v1/incidents`: all of them for programs.

A shell: the store ranks, `alerts.words` says it, the template shows it. `deciding.py` takes what people decide.
"""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gyroscope.alerts import Incident
from gyroscope.alerts.words import bundle_rows, harm_text, letter_rows, state_text
from gyroscope.clock import day_of, iso, wall_now
from gyroscope.web.parts import Parts, check_model
from gyroscope.web.render import page

MOST_SHOWN = 12


class Line(msgspec.Struct, frozen=True):
    """One row of a list of incidents, in words."""

    id: str
    title: str
    why: str
    state: str
    since: str
    harm: str
    pages: bool
    is_standing: bool


def incident(request: Request) -> Response:
    """One incident: why, since when, the evidence, what it explains, who decided what."""
    parts: Parts = request.app.state.parts
    found = parts.incidents.get(request.path_params["incident"])
    zone = parts.settings.monitoring.timezone
    return page(
        "incident.html",
        incident=found,
        is_of_model=found.model in parts.models.models(),
        line=_line(found, zone),
        state=state_text(found, wall_now()),
        letters=letter_rows(parts.outbox.of(found.id)),
        opened=day_of(found.opened, zone),
        ended=day_of(found.ended, zone) if found.ended is not None else "",
        evidence=bundle_rows(found),
        notes=[(iso(note.at)[:16].replace("T", " "), note.text) for note in found.notes],
        journal=[(iso(one.at)[:16].replace("T", " "), one) for one in parts.incidents.journal(found.id)],
        zone=zone,
    )


def incidents(request: Request) -> Response:
    """Every incident, or those of `?model=`, as records."""
    parts: Parts = request.app.state.parts
    model = request.query_params.get("model", "")
    found = parts.incidents.all(check_model(parts, model) if model else "")
    return Response(msgspec.json.encode({"incidents": found}), media_type="application/json")


def lines(parts: Parts, model: str) -> list[Line]:
    """The incidents of a model that its page shows: all that stand, then the newest others."""
    zone = parts.settings.monitoring.timezone
    found = parts.incidents.all(model)
    standing = [one for one in found if one.is_standing]
    over = sorted((one for one in found if not one.is_standing), key=lambda one: -one.opened)
    return [_line(one, zone) for one in (*standing, *over)[: max(MOST_SHOWN, len(standing))]]


def _line(one: Incident, zone: str) -> Line:
    return Line(
        one.id, one.title, one.why, one.state, day_of(one.since, zone), harm_text(one), one.pages, one.is_standing
    )
