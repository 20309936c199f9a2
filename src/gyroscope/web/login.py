"""`GET /login?code=`: a single-use code becomes a session's cookie.

The only page that a stranger can reach. Failed tries are limited; the code never reaches a log of ours.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gyroscope.clock import SECOND_NS, MachineTime, machine_now
from gyroscope.errors import InputError
from gyroscope.web.keys import SESSION_LIFE_US
from gyroscope.web.parts import Parts, cookie_name
from gyroscope.web.render import page

# Ten mistakes, then one try every six seconds: nobody notices who pastes an old link, and 256 bits stay unguessed.
TRIES, REFILL_S = 10.0, 6.0


class Tries:
    """A bucket of tries that only failures empty."""

    def __init__(self) -> None:
        self._left = TRIES
        self._seen = MachineTime(0)

    def is_empty(self, now: MachineTime) -> bool:
        self._left = min(TRIES, self._left + (now - self._seen) / (REFILL_S * SECOND_NS))
        self._seen = now
        return self._left < 1

    def failed(self) -> None:
        self._left -= 1


def login(request: Request) -> Response:
    """Redeem the code and lead on to the start page."""
    parts: Parts = request.app.state.parts
    tries: Tries = request.app.state.tries
    if not _typed_or_clicked(request):
        return page("notice.html", 403, title="Not opened", text="A login link must be opened as a page of its own.")
    if tries.is_empty(machine_now()):
        answer = page("notice.html", 429, title="Too many tries", text="Wait a few seconds and open the link again.")
        answer.headers["Retry-After"] = str(round(REFILL_S))
        return answer
    try:
        token = parts.keys.redeem(request.query_params.get("code", ""))
    except InputError as error:
        tries.failed()
        return page("notice.html", error.status, title="Not signed in", text=f"{error.what}: {error.fix}")
    # A page that leads on, not a redirect: after a click on another site, that would be asked for without the cookie.
    answer = page("notice.html", 200, title="Signed in", text="Opening the models…", onward="/")
    answer.set_cookie(
        cookie_name(parts), token, max_age=SESSION_LIFE_US // 1_000_000, httponly=True, samesite="strict", path="/"
    )
    return answer


def _typed_or_clicked(request: Request) -> bool:
    """Images and frames of other pages must neither use up a code nor empty the bucket of tries."""
    mode, dest = request.headers.get("sec-fetch-mode", "navigate"), request.headers.get("sec-fetch-dest", "document")
    return mode == "navigate" and dest == "document"
