"""`POST /v1/incidents/{incident}`: what a person on the page, or a program, decides about an incident.

A shell: `alerts.decisions` does it and writes it down. The guard has seen to it that the page is ours.
"""

from __future__ import annotations

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from gyroscope.alerts.decisions import Asked, Verb, until_of
from gyroscope.alerts.decisions import decide as decided
from gyroscope.clock import EventTime, wall_now
from gyroscope.web.parts import Parts
from gyroscope.web.posted import plain_json, read_posted


class DecisionIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a post; `until` is for a snooze: 8h, 2d, or a moment."""

    decision: Verb
    because: str = ""
    until: str = "8h"


async def decide(request: Request) -> Response:
    """The incident as it is now."""
    posted = read_posted(await plain_json(request), DecisionIn, fix='send {"decision": "acknowledge", "because": ...}')
    return await run_in_threadpool(_decide, request, posted)


def _decide(request: Request, posted: DecisionIn) -> Response:
    parts: Parts = request.app.state.parts
    now = wall_now()
    by = "a program" if "authorization" in request.headers else "a person on the page"
    until = until_of(posted.until, now) if posted.decision == "snooze" else EventTime(0)
    asked = Asked(posted.decision, by, posted.because or "no reason given", until)
    found = decided(parts.incidents, parts.journal, request.path_params["incident"], asked, now)
    return Response(msgspec.json.encode({"incident": found}), media_type="application/json")
