"""The client's own book: one fixed record per request, written by `load.py`, read by the checkers as an array.

It lies in another folder (in chaos rows on another file system) than the house. It never asks the house anything.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RECORD = np.dtype(
    [
        ("n", "<i8"),
        ("due_ns", "<i8"),
        ("took_ns", "<i8"),
        ("output", "<f8"),
        ("status", "<i2"),
        ("logged", "<i2"),
        ("spare", "<i4"),
    ]
)
LOGGED = ("", "no", "os", "full", "sampled", "off")
"""What the header X-Logged may say, by its code in the ledger; `kept` are those that promise a row."""
KEPT = (LOGGED.index("os"), LOGGED.index("full"))


def request_id(n: int) -> str:
    """The id of the n-th request of a ledger.

    >>> request_id(7)
    'r-000000007'
    """
    return f"r-{n:09d}"


def read(path: Path) -> NDArray[np.void]:
    """All whole records of a ledger; `due_ns` is on the monotonic clock of this machine."""
    raw = path.read_bytes() if path.exists() else b""
    return np.frombuffer(raw[: len(raw) // RECORD.itemsize * RECORD.itemsize], dtype=RECORD)


def acknowledged(book: NDArray[np.void]) -> NDArray[np.void]:
    """Requests that were answered and promised to be in the log."""
    return book[(book["status"] // 100 == 2) & np.isin(book["logged"], KEPT)]


def p99_ms(book: NDArray[np.void]) -> float:
    """The 99th percentile of latency, from the moment a request was due; unanswered ones took for ever."""
    took = np.where(book["status"] > 0, book["took_ns"] / 1e6, np.inf)
    return float(np.quantile(took, 0.99, method="higher")) if len(took) else float("nan")


def between(book: NDArray[np.void], first_ns: int, last_ns: int) -> NDArray[np.void]:
    """The requests that were due in a stretch of time."""
    return book[(book["due_ns"] >= first_ns) & (book["due_ns"] < last_ns)]
