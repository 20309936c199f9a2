"""The languages that a replica speaks over HTTP, one file each.

The plane reads and answers through a `Dialect`; the HTTP shell takes its paths from it. A dialect translates and
nothing else: it never calls a model, a log or a clock.
"""

from __future__ import annotations

from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.clock import EventTime
from gyroscope.models.runners import Rows


class Question(msgspec.Struct, frozen=True):
    """What a body asked: rows for the model, and what the body itself said about the request."""

    rows: Rows
    client_id: str = ""
    event_time: EventTime | None = None


class Dialect(Protocol):
    """One way to ask. Pure functions of the body; safe to call again."""

    asks: tuple[str, ...]
    """Paths that take a question by POST."""

    pages: dict[str, bytes]
    """Paths that GET answers, with what it answers; all JSON, none needs a key."""

    def read(self, body: bytes) -> Question:
        """Raises `InputError` with the path of the fault."""
        ...

    def answer(self, question: Question, outputs: NDArray[np.float64], request_id: str) -> bytes:
        """The body of a 200; `outputs` is (n,) or (n, K)."""
        ...

    def complain(self, status: int, what: str) -> tuple[int, bytes]:
        """Status and body of anything else."""
        ...
