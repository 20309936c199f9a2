"""A small HTTP client for the commands that talk to a running house: predictions and labels.

It reads the API key from its file, speaks HTTP/1.1 to the door, and turns every refusal into words.
"""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from gyroscope.clock import sleep
from gyroscope.errors import GyroscopeError, InputError, OverloadError, ProcessError

# Longer than the longest deadline a request may have (60 s), so that the server's own answer comes first.
TIMEOUT_S = 75.0
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
        parts = urlsplit(self._address)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
        headers = {"Authorization": f"Bearer {self._key()}", "Content-Type": "application/json", **headers}
        try:
            connection.request(method, path, content, headers)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise ProcessError(
                f"nobody answers: {error}",
                where=self._address,
                fix="start everything with 'gyro up'; 'gyro status' says what runs",
            ) from error
        finally:
            connection.close()
        if response.status >= 300:
            raise _refusal(response.status, body, f"{method} {path}")
        return Reply({name.lower(): value for name, value in response.getheaders()}, _decode(body, path))

    def _key(self) -> str:
        try:
            return self._key_path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ProcessError(
                f"the API key cannot be read: {error.strerror}",
                where=str(self._key_path),
                fix="'gyro up' makes it at the first start",
            ) from error


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
    what = str(told.get("error") or told.get("message") or http.client.responses.get(status, "refused"))
    place = str(told.get("where") or where)
    kind = OverloadError if status in (429, 502, 503, 504) else InputError
    return kind(f"{what} (status {status})", where=place, fix=str(told.get("fix") or ""), status=status)
