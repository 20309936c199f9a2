"""Signed webhooks, as standardwebhooks.com has them: id, time and HMAC-SHA256 in three headers, JSON in the body.

The id is the notice's key, the same for every try: a receiver that keeps ids takes nothing twice. The secret comes from
outside with every call and goes nowhere but into the signature.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable

import msgspec

from gyroscope.alerts.notices import Notice
from gyroscope.alerts.notifiers import Outcome
from gyroscope.alerts.notifiers.posting import Posted, post
from gyroscope.clock import SECOND_US, EventTime, iso
from gyroscope.errors import SettingsError

PREFIX, LEAST_BYTES = "whsec_", 24


class WebhookNotifier:
    """Posts `{"type": "incident.opened", "timestamp": ..., "data": {...}}`, times in ISO 8601."""

    def __init__(self, url: str, secret: Callable[[], str], timeout_s: float) -> None:
        self._url = url
        self._secret = secret
        self._timeout_s = timeout_s

    def send(self, notice: Notice, now: EventTime) -> Outcome:
        """One signed try."""
        try:
            key = key_of(self._secret())
        except SettingsError as error:
            return Outcome(False, f"{error.what} ({error.where})")
        body = body_of(notice)
        headers = {"Content-Type": "application/json", **signed(notice.key, body, key, now)}
        return post(Posted(self._url, body, headers, self._timeout_s), now)


def body_of(notice: Notice) -> bytes:
    """The JSON that is signed; it is the same for every try."""
    data = msgspec.to_builtins(notice)
    for name in ("at", "since", "opened", "ended"):
        data[name] = None if data[name] is None else iso(EventTime(data[name]))
    sent = {"type": f"incident.{notice.happened}", "timestamp": data.pop("at"), "data": data}
    return msgspec.json.encode(sent)


def key_of(secret: str) -> bytes:
    """The bytes that sign, written as base64 after `whsec_`. Raises `SettingsError` for anything else, or few bytes.

    >>> len(key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    24
    """
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True) if secret.startswith(PREFIX) else b""
    except ValueError:
        key = b""
    if len(key) < LEAST_BYTES:
        raise SettingsError(
            "the secret is none",
            where=f"{PREFIX} and the base64 of {LEAST_BYTES} bytes or more",
            fix="copy it whole, as the receiver shows it",
        )
    return key


def signed(key_id: str, body: bytes, key: bytes, now: EventTime) -> dict[str, str]:
    """The three headers.

    >>> signed("m-1-1", b"{}", b"key", EventTime(1_000_000))["webhook-signature"]
    'v1,4wgmX0Qf4wUZB2PeSLPFzal5QYHGP8+yAxEBgx2WsaM='
    """
    seconds = str(now // SECOND_US)
    mac = hmac.new(key, b".".join((key_id.encode(), seconds.encode(), body)), hashlib.sha256)
    signature = "v1," + base64.b64encode(mac.digest()).decode()
    return {"webhook-id": key_id, "webhook-timestamp": seconds, "webhook-signature": signature}
