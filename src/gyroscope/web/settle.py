"""`POST /v1/settle`: everything that was answered until now is recorded, measured, judged and decided on.

For who plays a history faster than it happened, and waits at the ends of its days for the loops. Thin: ask, format.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gyroscope.errors import OverloadError
from gyroscope.web.parts import Parts


def settle(request: Request) -> Response:
    """Whether everything is settled; else what is missing after some seconds: ask again."""
    parts: Parts = request.app.state.parts
    if parts.settle is None:
        raise OverloadError("no loops run here", where="control", fix="gyro up", status=503)
    missing = parts.settle()
    return JSONResponse({"settled": not missing, "missing": missing})
