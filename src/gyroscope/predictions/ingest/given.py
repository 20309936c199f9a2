"""Predictions that were made elsewhere, as columns of plain values, held against the signature row by row.

A row that does not fit is refused with its reason and the others go on. `ingest.py` writes down what comes out of here;
files, JSON and data frames become `Given` elsewhere. Pure: no file, no clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.clock import EventTime, event_time_of, parse_event_time
from gyroscope.predictions.ingest.cells import Faults, numbers, texts
from gyroscope.predictions.segments.privacy import has_private
from gyroscope.predictions.segments.wal import EARLIEST_US, LATEST_US, VARIANTS, LogEntry
from gyroscope.records import Feature, Signature

Values = Sequence[Any] | NDArray[Any]

WITHHELD = "the words are not kept, because they may quote a value that must not be"
MAX_ID, MOST_ERROR, MOST_TEXT = 128, 4_096, 16_000
# How far outside [0, 1] a probability may lie: the sum of float32 numbers is off by some 1e-7.
SLACK = 1e-5
# A year: what a latency can be at most.
MOST_LATENCY_MS = 365 * 86_400_000


class Given(msgspec.Struct):
    """Columns of one length; a column that is None says nothing, a value that is None is missing.

    `inputs` holds a column per feature, `outputs` one per number of the answer. Times are ISO 8601, seconds since 1970,
    datetimes or numpy's. `msgspec.UNSET` among the inputs says that a row does not name the feature at all.
    """

    request_id: Values
    inputs: dict[str, Values]
    outputs: Sequence[Values]
    event_time: Values | None = None
    entity_key: Values | None = None
    latency_ms: Values | None = None
    status: Values | None = None
    error: Values | None = None
    variant: Values | None = None
    row: Values | None = None


class Checked(msgspec.Struct):
    """Entries ready to be written, and what was refused: (row, reason), in order."""

    entries: list[LogEntry]
    refused: list[tuple[int, str]]


class Checker:
    """One signature, ready to check. What the log may not hold of a value is the log's to see to."""

    def __init__(self, signature: Signature) -> None:
        self._signature = signature
        self._has_private = has_private(signature)
        self._codes = {
            feature.name: {name: float(code) for code, name in enumerate(feature.categories)}
            for feature in signature.features
        }

    def check(self, given: Given, now: EventTime) -> Checked:
        """Rows as log entries that arrived `now`."""
        n = len(given.request_id)
        faults = Faults(n)
        _check_row(given, faults)
        status = _status(given, n, faults)
        failed = status >= 400
        matrix, unseen = self._inputs(given, failed, faults)
        has_input = ~failed | ~np.isnan(matrix).all(axis=1)
        has_input[list(unseen)] = True
        columns = _Columns(
            request_id=_ids(given.request_id, faults),
            event_time=_times(given.event_time, n, now, faults),
            latency_ns=_latency(given, n, faults),
            status=status.tolist(),
            inputs=[matrix[row : row + 1] if has_input[row] else None for row in range(n)],
            unseen=unseen,
            outputs=self._outputs(given, failed, faults),
            entity_key=texts(given.entity_key, "entity_key", faults, longest=MAX_ID),
            error=self._errors(given, faults),
            variant=_variants(given, faults),
        )
        return Checked([columns.entry(row, now) for row in np.flatnonzero(faults.none).tolist()], faults.listed())

    def _inputs(
        self, given: Given, failed: NDArray[np.bool_], faults: Faults
    ) -> tuple[NDArray[np.float64], dict[int, list[tuple[int, int, str]]]]:
        """The matrix in the signature's order, and by row the texts that have no code."""
        matrix = np.full((len(failed), len(self._signature.features)), np.nan)
        unseen: dict[int, list[tuple[int, int, str]]] = {}
        for index, feature in enumerate(self._signature.features):
            if not feature.is_logged:
                continue
            if feature.name not in given.inputs:
                faults.where(~failed, f"the feature {feature.name!r} is missing")
                continue
            values = _present(given.inputs[feature.name], feature, failed, faults)
            column, found = self._column(values, feature, faults)
            if not feature.nullable:
                missing = np.isnan(column) & ~failed
                missing[[row for row, _ in found]] = False
                faults.where(missing, f"{feature.name!r} may not be missing")
            matrix[:, index] = column
            for row, text in found:
                unseen.setdefault(row, []).append((0, index, text))
        return matrix, unseen

    def _column(
        self, values: Values, feature: Feature, faults: Faults
    ) -> tuple[NDArray[np.float64], list[tuple[int, str]]]:
        """Numbers or codes, NaN where there is none, and (row, text) of the texts without a code."""
        if feature.dtype != "string":
            return numbers(values, feature, faults), []
        found = texts(values, feature.name, faults, may_miss=True, longest=MOST_TEXT)
        known = self._codes[feature.name]
        codes = np.array([np.nan if text is None else known.get(text, np.nan) for text in found], dtype=np.float64)
        if known.keys() >= set(found) - {None}:
            return codes, []
        return codes, [(row, text) for row, text in enumerate(found) if text is not None and text not in known]

    def _errors(self, given: Given, faults: Faults) -> list[str]:
        """The words of errors, unless they may quote a value that must not be kept."""
        found = texts(given.error, "error", faults, longest=MOST_ERROR)
        return [WITHHELD if text else "" for text in found] if self._has_private else found

    def _outputs(self, given: Given, failed: NDArray[np.bool_], faults: Faults) -> NDArray[np.float64]:
        width = self._signature.width
        outputs = np.full((len(failed), width), np.nan)
        for index in range(width):
            if index >= len(given.outputs):
                faults.where(~failed, f"output {index} of {width} is missing")
                continue
            column = numbers(given.outputs[index], Feature(f"output_{index}"), faults)
            faults.where(np.isnan(column) & ~failed, f"output {index} is missing")
            if self._signature.says_probabilities:
                faults.where((column < -SLACK) | (column > 1 + SLACK), f"output {index} is no probability")
                column = column.clip(0, 1)
            outputs[:, index] = column
        return outputs


class _Columns(msgspec.Struct):
    """What was read, by column; those of texts are empty when they were not given."""

    request_id: list[str]
    event_time: list[int]
    latency_ns: list[int]
    status: list[int]
    inputs: list[NDArray[np.float64] | None]
    unseen: dict[int, list[tuple[int, int, str]]]
    outputs: NDArray[np.float64]
    entity_key: list[str]
    error: list[str]
    variant: list[Any]

    def entry(self, row: int, now: EventTime) -> LogEntry:
        """One row, made elsewhere, that arrived `now`."""
        status = self.status[row]
        return LogEntry(
            request_id=self.request_id[row],
            event_time=self.event_time[row],
            arrival_time=now,
            latency_ns=self.latency_ns[row],
            status=status,
            matrix=self.inputs[row],
            outputs=self.outputs[row : row + 1] if status < 400 else None,
            unseen=self.unseen.get(row, []),
            entity_key=self.entity_key[row] if self.entity_key else "",
            error=self.error[row] if self.error else "",
            variant=self.variant[row] if self.variant else "live",
            ingested=True,
        )


def _check_row(given: Given, faults: Faults) -> None:
    """A request of several rows comes whole or not at all, and what is given here is one row each."""
    if given.row is not None:
        place = numbers(given.row, Feature("row", "int64"), faults)
        faults.where(place > 0, "several rows of one request cannot be added one by one: give each its own request_id")


def _present(values: Values, feature: Feature, failed: NDArray[np.bool_], faults: Faults) -> Values:
    """The values with None where a row does not name the feature at all, which is a fault of that row."""
    if isinstance(values, np.ndarray) or msgspec.UnsetType not in set(map(type, values)):
        return values
    absent = np.array([value is msgspec.UNSET for value in values], dtype=bool)
    faults.where(absent & ~failed, f"the feature {feature.name!r} is missing")
    return [None if value is msgspec.UNSET else value for value in values]


def _ids(values: Values, faults: Faults) -> list[str]:
    ids = texts(values, "request_id", faults, longest=MAX_ID)
    for row, text in enumerate(ids):
        if not (text and text.isascii() and text.isprintable()):
            faults.add(row, f"request_id must be 1 to {MAX_ID} printable ASCII characters")
    return ids


def _status(given: Given, n: int, faults: Faults) -> NDArray[np.int64]:
    if given.status is None:
        return np.full(n, 200)
    found = numbers(given.status, Feature("status", "int64"), faults)
    found[np.isnan(found)] = 200
    wrong = (found < 200) | (found > 599)
    faults.where(wrong, "status must be from 200 to 599")
    return np.where(wrong, 200, found).astype(np.int64)


def _latency(given: Given, n: int, faults: Faults) -> list[int]:
    if given.latency_ms is None:
        return [0] * n
    found = numbers(given.latency_ms, Feature("latency_ms"), faults)
    found[np.isnan(found)] = 0
    faults.where((found < 0) | (found > MOST_LATENCY_MS), "latency_ms must be milliseconds, from 0 to those of a year")
    return [round(value * 1e6) for value in found.clip(0, MOST_LATENCY_MS).tolist()]


def _times(values: Values | None, n: int, now: EventTime, faults: Faults) -> list[int]:
    if values is None:
        return [now] * n
    if isinstance(values, np.ndarray):
        values = (values.astype("datetime64[us]") if values.dtype.kind == "M" else values).tolist()
    found = []
    for row, value in enumerate(values):
        try:
            at = now if value is None or value != value else _time(value)
            if not EARLIEST_US <= at <= LATEST_US:
                raise ValueError("outside the years 1 to 9999")
        except (ValueError, OverflowError):
            faults.add(row, f"{str(value)[:40]!r} is no event_time: ISO 8601, or seconds since 1970")
            at = now
        found.append(at)
    return found


def _time(value: Any) -> int:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return event_time_of(value)
    text = value.isoformat() if isinstance(value, date) else str(value)
    if isinstance(value, bool) or "_" in text:
        raise ValueError("no time")
    return parse_event_time(text)


def _variants(given: Given, faults: Faults) -> list[Any]:
    if given.variant is None:
        return []
    found = texts(given.variant, "variant", faults, may_miss=True)
    for row, text in enumerate(found):
        if text is not None and text not in VARIANTS:
            faults.add(row, f"variant must be one of {', '.join(VARIANTS)}")
    return [text if text in VARIANTS else "live" for text in found]
