"""One POST to an address that the owner of the house wrote, with an end to it whatever the other side does.

Notifiers that speak HTTP call `post`. It follows no redirect, uses no proxy, reads no body, and connects to the very
address it checked, so that no name leads it elsewhere.
"""

from __future__ import annotations

import email.utils
import http.client
import ipaddress
import socket
import ssl
import threading
from contextlib import closing, suppress
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from gyroscope.alerts.notifiers import DELIVERED, Outcome
from gyroscope.clock import SECOND_US, EventTime

AGAIN = frozenset({408, 425, 429})
"""Statuses below 500 that say "later", not "never"."""


class Posted(NamedTuple):
    """What is sent where; seconds for all of it together."""

    url: str
    body: bytes
    headers: dict[str, str]
    timeout_s: float


def post(posted: Posted, now: EventTime) -> Outcome:
    """Send it once. What the network or the receiver does wrong is in the outcome."""
    parts = urlsplit(posted.url)
    try:
        with closing(_connection(parts, _open(parts, posted.timeout_s))) as connection:
            watch = threading.Timer(posted.timeout_s, _hang_up, (connection.sock,))
            watch.start()
            try:
                answer = _ask(connection, parts, posted)
            finally:
                watch.cancel()
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Outcome(False, f"no answer: {type(error).__name__}")
    return _outcome(answer.status, answer.getheader("Retry-After", ""), now)


def _open(parts: SplitResult, timeout_s: float) -> socket.socket:
    """A connection to the host's own address. Raises `OSError` where that is none a receiver can have."""
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    wrong = [one for *_, one in found if _is_nobody(str(one[0]))]
    if wrong:
        raise ConnectionRefusedError("a link-local, multicast or empty address")
    error: OSError = ConnectionError("no address")
    for *_, one in found:
        try:
            return socket.create_connection((str(one[0]), int(one[1])), timeout_s)
        except OSError as refused:
            error = refused
    raise error


def _is_nobody(address: str) -> bool:
    """Whether no receiver can be there: the metadata service of a cloud answers to a link-local one.

    >>> [_is_nobody(one) for one in ("169.254.169.254", "::ffff:169.254.169.254", "0.0.0.0", "127.0.0.1", "10.0.0.1")]
    [True, True, True, False, False]
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None) or found
    return bool(mapped.is_link_local or mapped.is_multicast or mapped.is_unspecified)


def _connection(parts: SplitResult, opened: socket.socket) -> http.client.HTTPConnection:
    host = parts.hostname or ""
    if parts.scheme == "http":
        connection = http.client.HTTPConnection(host, parts.port)
        connection.sock = opened
        return connection
    context = ssl.create_default_context()
    connection = http.client.HTTPSConnection(host, parts.port, context=context)
    connection.sock = context.wrap_socket(opened, server_hostname=host, do_handshake_on_connect=False)
    return connection


def _ask(connection: http.client.HTTPConnection, parts: SplitResult, posted: Posted) -> http.client.HTTPResponse:
    if isinstance(connection.sock, ssl.SSLSocket):
        connection.sock.do_handshake()
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection.request("POST", path, posted.body, posted.headers)
    return connection.getresponse()


def _hang_up(opened: socket.socket) -> None:
    """Ends a receiver that trickles: each byte alone is in time, all of them never would be."""
    with suppress(OSError):
        opened.shutdown(socket.SHUT_RDWR)


def _outcome(status: int, retry_after: str, now: EventTime) -> Outcome:
    """What a status means.

    >>> _outcome(204, "", EventTime(0)).is_delivered, _outcome(429, "7", EventTime(0)).after_s
    (True, 7.0)
    >>> _outcome(302, "", EventTime(0)).is_final, _outcome(503, "", EventTime(0)).is_final
    (True, False)
    """
    if 200 <= status < 300:
        return DELIVERED
    if status in AGAIN or status >= 500:
        return Outcome(False, f"status {status}", after_s=_seconds(retry_after, now))
    more = ": redirects are not followed, write the last address into the settings" if 300 <= status < 400 else ""
    return Outcome(False, f"status {status}{more}", is_final=True)


def _seconds(retry_after: str, now: EventTime) -> float:
    """`Retry-After` as seconds from now: a number or a date; 0 for anything else."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return 0.0
    return max(0.0, moment.timestamp() - now / SECOND_US)
