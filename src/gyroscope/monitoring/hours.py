"""What an hour of one version adds up to: requests, errors, latency, and what was said; kept in the folds of its cell.

`fold` counts these, the judge of hours makes series of them. They merge like folds do. Pure: it never reads the table.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.models.blocks import Blocks, block_starts
from gyroscope.records import Signature, Window

ALWAYS = ("answered", "errors", "answered_squares", "timed", "latency", "latency_squares", "scored", "scored_squares")
"""Columns of every version. Latency is the decimal logarithm of seconds: one request that waits is not all of them."""

# Squares of what is larger overflow in a sum.
_TOO_LARGE = 1e100

QUARTER_US = 900_000_000
"""Hours of a zone begin on quarters of those of UTC."""


class Hours(msgspec.Struct, frozen=True, eq=False):
    """Counts of a version by hour.

    `starts` (T,) are the starts of hours, oldest first. `table` (T, C) has the columns of `columns_of`, rows counted as
    often as they stand for. Shadow rows are in what was said and in no traffic.
    """

    starts: NDArray[np.int64]
    table: NDArray[np.float64]

    @staticmethod
    def empty() -> Hours:
        """No hour; it merges with those of any version."""
        return Hours(np.empty(0, np.int64), np.empty((0, 0)))

    def merge(self, other: Hours) -> Hours:
        """The hours of the rows of both."""
        if not self.starts.size or not other.starts.size:
            return self if self.starts.size else other
        starts, places = np.unique(np.concatenate((self.starts, other.starts)), return_inverse=True)
        table = np.zeros((starts.size, self.table.shape[1]))
        np.add.at(table, places, np.concatenate((self.table, other.table)))
        return Hours(starts, table)

    def within(self, stretch: Window) -> Hours:
        """Those that start in a stretch of time."""
        inside = (self.starts >= stretch.start) & (self.starts < stretch.end)
        return Hours(self.starts[inside], self.table[inside])

    def to_bytes(self) -> bytes:
        """Starts and table as they lie in memory; nothing for no hour."""
        return np.int64(self.starts.size).tobytes() + self.starts.tobytes() + self.table.tobytes()

    @staticmethod
    def from_bytes(packed: bytes) -> Hours:
        """What `to_bytes` wrote."""
        hours = int(np.frombuffer(packed, np.int64, 1)[0])
        if not hours:
            return Hours.empty()
        starts = np.frombuffer(packed, np.int64, hours, 8)
        return Hours(starts, np.frombuffer(packed, np.float64, offset=8 * (1 + hours)).reshape(hours, -1))


class Answers(msgspec.Struct, frozen=True, eq=False):
    """Rows of one version, (n,) each: what they count for, what became of them, how long they took, what was said.

    `latency_us` is NaN where it is not known; `outputs` are (n,) or (n, classes) and used where `is_scored`.
    """

    times: NDArray[np.int64]
    weights: NDArray[Any]
    is_error: NDArray[np.bool_]
    is_scored: NDArray[np.bool_]
    is_shadow: NDArray[np.bool_]
    latency_us: NDArray[np.float64]
    outputs: NDArray[np.float64]


def columns_of(signature: Signature) -> tuple[str, ...]:
    """The columns of the table of a version: those of all, and what it said.

    >>> columns_of(Signature("regression", ()))[-3:]
    ('positives', 'output', 'output_squares')
    """
    if signature.task == "multiclass":
        return (*ALWAYS, *(f"class {name}" for name in signature.classes))
    return (*ALWAYS, "positives", "output", "output_squares")


def count_hours(answers: Answers, signature: Signature, zone: str) -> Hours:
    """The hours of some rows, cut by the calendar of a zone."""
    starts, places = _distinct(block_starts(answers.times, Blocks(zone, "1h")))
    weights = answers.weights.astype(np.float64)
    is_live = ~answers.is_shadow
    with np.errstate(invalid="ignore", divide="ignore"):
        latency = np.log10(answers.latency_us / 1e6)
    is_timed = is_live & np.isfinite(latency)
    live, scored = np.where(is_live, weights, 0.0), np.where(answers.is_scored, weights, 0.0)
    timed, latency = np.where(is_timed, weights, 0.0), np.where(is_timed, latency, 0.0)
    said = _said(answers.outputs, answers.is_scored, signature)
    columns = [
        *(live, np.where(answers.is_error, live, 0.0), live * weights),
        *(timed, timed * latency, timed * latency * latency),
        *(scored, scored * weights, *(scored * one for one in said)),
    ]
    table = [np.bincount(places, weights=column, minlength=starts.size) for column in columns]
    return Hours(starts, np.column_stack(table))


def _distinct(starts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """As `np.unique` with places, without sorting: hours begin on quarters, and those of a cell are near each other."""
    quarters = (starts - starts.min()) // QUARTER_US
    present = np.flatnonzero(np.bincount(quarters))
    return starts.min() + present * QUARTER_US, np.searchsorted(present, quarters)


def _said(
    outputs: NDArray[np.float64], is_scored: NDArray[np.bool_], signature: Signature
) -> list[NDArray[np.float64]]:
    """Columns of what was said, per row."""
    if signature.task == "multiclass":
        chosen = np.where(np.isfinite(outputs), outputs, -np.inf).argmax(axis=1)
        return [(chosen == k).astype(np.float64) for k in range(len(signature.classes))]
    output = np.where(is_scored & (np.abs(outputs) < _TOO_LARGE), outputs, 0.0)
    is_positive = is_scored & (output >= signature.threshold) if signature.task == "binary" else np.zeros(len(output))
    return [is_positive.astype(np.float64), output, output * output]


def hour_starts(stretch: Window, zone: str) -> NDArray[np.int64]:
    """The start of every hour that begins in a stretch, by the calendar of a zone."""
    within = np.arange(stretch.start, stretch.end, QUARTER_US, dtype=np.int64)
    starts = np.unique(block_starts(within, Blocks(zone, "1h")))
    return starts[starts >= stretch.start]
