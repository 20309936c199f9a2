"""The languages that a replica speaks, one file each.

The plane reads and answers through a `Dialect`, whatever the transport; the HTTP shell takes its paths from a
`Service`, which picks the dialect by the headers. Both translate and nothing else: they never call a model or a log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.clock import EventTime
from gyroscope.models.runners import Rows

Headers = tuple[tuple[bytes, bytes], ...]
"""What an answer says of its own body. Empty: it is JSON, and nothing is built to say so."""


class Question(msgspec.Struct, frozen=True):
    """What a body asked: rows for the model, and what the body itself said about the request.

    `wish` is how the answer is to look, in the dialect's own words; only the dialect that made it reads it.
    """

    rows: Rows
    client_id: str = ""
    event_time: EventTime | None = None
    wish: object = None


class Page(msgspec.Struct, frozen=True):
    """What a path says that asks the model nothing. One that is POSTed needs a key, and `show` gets its body."""

    show: Callable[[bytes], bytes]
    method: Literal["GET", "POST"] = "GET"


class Dialect(Protocol):
    """One way to ask. Pure functions of the body; safe to call again."""

    def read(self, body: bytes) -> Question:
        """Raises `InputError` with the path of the fault."""
        ...

    def answer(self, question: Question, outputs: NDArray[np.float64], request_id: str) -> tuple[bytes, Headers]:
        """The body of a 200 and what it is; `outputs` is (n,) or (n, K)."""
        ...

    def complain(self, status: int, what: str) -> tuple[int, bytes]:
        """Status and body, always JSON, of anything else."""
        ...


class OneRow(Dialect, Protocol):
    """What a dialect says more where the ordinary request, one row of numbers, has a way of its own (`express.py`)."""

    takes_one: bool
    """Whether there is one: all features are float64, and more than one."""

    width: int
    """Numbers of a row."""

    def one(self, body: bytes) -> Sequence[float | None] | None:
        """The numbers of a body that holds one row and says nothing else; None for any other. Never raises."""
        ...

    def answer_one(self, output: float, request_id: str) -> bytes:
        """What `answer` says of one number."""
        ...


class Service(Dialect, Protocol):
    """One protocol over HTTP; itself the dialect of its JSON bodies."""

    asks: tuple[str, ...]
    """Paths that take a question by POST."""

    pages: Mapping[str, Page]
    """Every other path."""

    def dialect(self, headers: Mapping[bytes, bytes]) -> Dialect:
        """What a body with these headers is in; names are in lower case. JSON gets the same object every time.

        Raises `InputError`, status 415, when nobody here speaks it.
        """
        ...


def fixed(text: bytes) -> Page:
    """A page that never changes.

    >>> fixed(b"{}").show(b"")
    b'{}'
    """
    return Page(lambda _: text)
