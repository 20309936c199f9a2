"""Files the pages need: our own from `static/`, and Plotly from the installed package, never from the network.

Sent whole with an ETag and, where the browser takes it, gzip; each is read and compressed once a process.
"""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gyroscope.errors import InputError, did_you_mean

KINDS = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "strict.js": "text/javascript; charset=utf-8",
    "plotly.min.js": "text/javascript; charset=utf-8",
}


class Asset(msgspec.Struct, frozen=True):
    """One file as it is sent."""

    content: bytes
    zipped: bytes
    etag: str


def asset(request: Request) -> Response:
    """`GET /static/{name}`, one of `KINDS`: the name is looked up, never joined to a path."""
    name = request.path_params["name"]
    if name not in KINDS:
        raise InputError(f"no file is called {name!r}", where="/static", fix=did_you_mean(name, KINDS), status=404)
    found = _read(name)
    # no-cache asks again each time and gets 304 without the 1.4 MB: a new release is seen at once.
    headers = {"ETag": found.etag, "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == found.etag:
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(found.zipped, headers={**headers, "Content-Encoding": "gzip"}, media_type=KINDS[name])
    return Response(found.content, headers=headers, media_type=KINDS[name])


@cache
def _read(name: str) -> Asset:
    path = plotly_path() if name == "plotly.min.js" else Path(__file__).parent / "static" / name
    content = path.read_bytes()
    etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    return Asset(content, gzip.compress(content, 6, mtime=0), etag)


def plotly_path() -> Path:
    """Where the installed package keeps its script; found without importing it."""
    spec = find_spec("plotly")
    folders = spec.submodule_search_locations if spec and spec.submodule_search_locations else []
    return next(Path(folder) / "package_data" / "plotly.min.js" for folder in folders)
