"""One request until its answer, attempts and pauses included, as a generator: it says what to do and never does it.

`blocking.py` and `asynchronous.py` drive it, each in its own way of waiting; so nothing of this is written twice.
"""

from __future__ import annotations

import random
from collections.abc import Generator
from typing import Any, TypeVar

import msgspec

from gyroscope.client.retries import Budget, pause_s
from gyroscope.client.wire import Lost, Origin, Reply, head
from gyroscope.clock import SECOND_NS, MachineTime, machine_now
from gyroscope.errors import GyroscopeError, InputError, OutputError, OverloadError, ProcessError

# What a server takes as X-Request-Timeout-Ms.
_LONGEST_MS = 60_000


class Exchange(msgspec.Struct, frozen=True):
    """Send these bytes, bring back a whole `Reply` or say how it was `Lost`, at the deadline at the latest."""

    request: bytes
    deadline: MachineTime


class Pause(msgspec.Struct, frozen=True):
    """Wait; bring back anything."""

    seconds: float


Step = Exchange | Pause
Outcome = Reply | Lost
T = TypeVar("T")
Steps = Generator[Step, Any, T]
"""What comes back for an `Exchange` is its `Outcome`."""


class Message(msgspec.Struct, frozen=True):
    """One request that may be sent several times."""

    path: str
    body: bytes
    headers: dict[str, str]
    timeout_s: float
    what: str


class Heard(msgspec.Struct, frozen=True):
    """The fine answer, and which attempt it belongs to."""

    reply: Reply
    attempt: int


def converse(origin: Origin, message: Message, budget: Budget) -> Steps[Heard]:
    """Ask until there is an answer, or no point or no time in asking again.

    Raises `InputError` for what is refused, `OutputError` for a model that fails, `OverloadError` for no room or no
    time, `ProcessError` when nobody answers.
    """
    deadline = MachineTime(machine_now() + round(message.timeout_s * SECOND_NS))
    budget.earn()
    attempt = 0
    while True:
        attempt += 1
        outcome: Outcome = yield Exchange(_request(message, deadline), deadline)
        if isinstance(outcome, Reply) and outcome.status < 300:
            return Heard(outcome, attempt)
        wait_s = pause_s(outcome, attempt, random.random())  # noqa: S311 - nobody gains by guessing it
        if wait_s is None or wait_s * SECOND_NS >= deadline - machine_now() or not budget.spend():
            raise _error(outcome, origin, message, attempt)
        yield Pause(wait_s)


def _request(message: Message, deadline: MachineTime) -> bytes:
    left_ms = (deadline - machine_now()) * 1_000 // SECOND_NS
    headers = {**message.headers, "X-Request-Timeout-Ms": str(min(max(left_ms, 1), _LONGEST_MS))}
    return head("POST", message.path, headers) + message.body


def _error(outcome: Outcome, origin: Origin, message: Message, attempts: int) -> GyroscopeError:
    where = f"{origin.address} {message.what}"
    again = f", asked {attempts} times" if attempts > 1 else ""
    if isinstance(outcome, Reply):
        return refusal(outcome, where, again)
    if outcome.is_late:
        what = f"there was no answer within {message.timeout_s:g} s{again}"
        return OverloadError(what, where=where, fix="ask again, or give it more time: timeout_s", status=504)
    fix = "'gyro up' starts everything, 'gyro status' says what runs"
    return ProcessError(f"nobody answers: {outcome.why}{again}", where=where, fix=fix)


def refusal(reply: Reply, where: str, again: str = "") -> GyroscopeError:
    """What the server said, in its own words where it said them as JSON."""
    try:
        told = msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        told = {}
    told = told if isinstance(told, dict) else {}
    status = reply.status
    what = f"{told.get('error') or told.get('message') or 'refused'} (status {status}{again})"
    place, fix = str(told.get("where") or where), str(told.get("fix") or "")
    if status in (429, 502, 503, 504):
        return OverloadError(what, where=place, fix=fix, status=status)
    if status == 500:
        return OutputError(what, where=place, fix=fix)
    return InputError(what, where=place, fix=fix, status=status)
