"""Records one by one, as the entries that were written: for people who look at a segment, and for tests.

The recorder never does this: `shapes.py` takes thousands apart at once.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gyroscope.errors import StoreError
from gyroscope.predictions.segments.scan import Scan
from gyroscope.predictions.segments.wal import HEADER_BYTES, INGESTED, TEXT_HEAD, VARIANTS, Layout, LogEntry


def entries_in(scan: Scan, layout: Layout) -> list[LogEntry]:
    """Every whole record of a scan. Raises `StoreError` when one was written under another layout."""
    return [entry_at(scan, index, layout) for index in range(len(scan.offsets))]


def entry_at(scan: Scan, index: int, layout: Layout) -> LogEntry:
    """One record. Raises `StoreError` when it was written under another layout."""
    header, offset = scan.headers[index], int(scan.offsets[index])
    if int(header["schema_id"]) != layout.schema_id:
        raise StoreError("the record has another schema", where=f"byte {offset} of its segment")
    rows = int(header["rows"])
    sizes = [
        8 * rows * int(header["numeric"]), 8 * rows * int(header["outputs"]), 4 * rows * int(header["category"]),
        *(int(header[name]) for name in ("request_id", "client_id", "entity_key", "error")),
    ]  # fmt: skip
    body = scan.data[offset + HEADER_BYTES : offset + int(header["length"])]
    ends = np.cumsum(sizes).tolist()
    parts = [body[end - size : end] for size, end in zip(sizes, ends, strict=True)]
    numeric, outputs, category = parts[:3]
    request_id, client_id, entity_key, error = (part.decode("utf-8", "replace") for part in parts[3:])
    matrix = None
    if numeric or category:
        # NaN where the log holds nothing: what was dropped, or travels as text.
        matrix = np.full((rows, layout.columns), np.nan)
        matrix[:, layout.numeric] = np.frombuffer(numeric, "<f8").reshape(rows, -1)
        matrix[:, layout.category] = np.frombuffer(category, "<i4").reshape(rows, -1)
    return LogEntry(
        request_id=request_id,
        event_time=int(header["event_time"]),
        arrival_time=int(header["arrival_time"]),
        latency_ns=int(header["latency_ns"]),
        status=int(header["status"]),
        matrix=matrix,
        outputs=np.frombuffer(outputs, "<f8").reshape(rows, -1) if outputs else None,
        unseen=list(texts_in(body, ends[-1], int(header["texts"]))),
        client_id=client_id,
        entity_key=entity_key,
        error=error,
        variant=VARIANTS[int(header["variant"])],
        weight=int(header["weight"]),
        ingested=bool(int(header["flags"]) & INGESTED),
    )


def texts_in(body: bytes, at: int, count: int) -> Iterator[tuple[int, int, str]]:
    """(row, column, text) of the strings without a code and of the digests."""
    for _ in range(count):
        row, column, size = TEXT_HEAD.unpack_from(body, at)
        at += TEXT_HEAD.size
        yield row, column, body[at : at + size].decode("utf-8", "replace")
        at += size
