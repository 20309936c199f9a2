"""A small HTTP client for the commands that talk to a running house: predictions and labels.

It reads the API key from its file, speaks as `gyroscope.Client` does, and turns every refusal into words.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec

from gyroscope.client.blocking import Sockets
from gyroscope.client.conversation import Exchange, Outcome, Steps
from gyroscope.client.place import origin_of, read_key
from gyroscope.client.wire import Lost, head
from gyroscope.clock import SECOND_NS, MachineTime, machine_now, sleep
from gyroscope.errors import GyroscopeError, InputError, OverloadError, ProcessError

# Longer than the longest deadline a request may have (60 s), so that the server's own answer comes first.
TIMEOUT_NS = 75 * SECOND_NS
PAUSE_S = 0.2


class Reply(msgspec.Struct, frozen=True):
    """A fine answer: status 2xx, headers by their lower-case names, the decoded body."""

    headers: dict[str, str]
    body: Any


class Client:
    """One address and one key; a new connection per call."""

    def __init__(self, address: str, key_path: Path) -> None:
        self._address = address
        self._key_path = key_path

    def get(self, path: str) -> Reply:
        return self._call("GET", path, b"", {})

    def post(self, path: str, body: Any, headers: Mapping[str, str] | None = None, tries: int = 1) -> Reply:
        """Send JSON. Only what may arrive twice without harm may have more than one try.

        Raises `InputError` for what the server refuses, `OverloadError` when it has no room or time, and `ProcessError`
        when nobody answers.
        """
        content = msgspec.json.encode(body)
        for left in range(tries - 1, -1, -1):
            try:
                return self._call("POST", path, content, dict(headers or {}))
            except (ProcessError, OverloadError):
                if not left:
                    raise
                sleep(PAUSE_S)
        raise AssertionError("at least one try")

    def _call(self, method: str, path: str, content: bytes, headers: dict[str, str]) -> Reply:
        origin = origin_of(self._address)
        sent = {"Host": origin.address.partition("//")[2], "Authorization": f"Bearer {read_key(self._key_path)}"}
        sent |= {"Content-Type": "application/json", "Content-Length": str(len(content)), "Connection": "close"}
        request = head(method, path, {**sent, **headers}) + content
        answer = Sockets(origin).run(_once(request, MachineTime(machine_now() + TIMEOUT_NS)))
        if isinstance(answer, Lost):
            fix = "start everything with 'gyro up'; 'gyro status' says what runs"
            raise ProcessError(f"nobody answers: {answer.why}", where=self._address, fix=fix)
        if answer.status >= 300:
            raise _refusal(answer.status, answer.body, f"{method} {path}")
        return Reply(answer.headers, _decode(answer.body, path))


def _once(request: bytes, deadline: MachineTime) -> Steps[Outcome]:
    outcome: Outcome = yield Exchange(request, deadline)
    return outcome


def _decode(body: bytes, path: str) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise ProcessError("the answer is not JSON", where=path, fix="is another program listening there?") from error


def _refusal(status: int, body: bytes, where: str) -> GyroscopeError:
    """What the server said, in its own words where it said them as JSON."""
    try:
        told = msgspec.json.decode(body)
    except msgspec.DecodeError:
        told = {}
    told = told if isinstance(told, dict) else {}
    what = str(told.get("error") or told.get("message") or _phrase(status))
    place = str(told.get("where") or where)
    kind = OverloadError if status in (429, 502, 503, 504) else InputError
    return kind(f"{what} (status {status})", where=place, fix=str(told.get("fix") or ""), status=status)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "refused"
