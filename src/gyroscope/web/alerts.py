"""`GET /v1/alerts`: what stands now. Reads one file in memory and no database: it answers with a frozen disk too.

A shell: `overview.alerts` knows which are old.
"""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gyroscope.web.overview import alerts as standing


def alerts(request: Request) -> Response:
    """Every standing alert: name, model, what, where, fix, since."""
    found = [{**msgspec.to_builtins(known.alert), "since": known.since} for known in standing(request.app.state.parts)]
    return Response(msgspec.json.encode({"alerts": found}), media_type="application/json")
