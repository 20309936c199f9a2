"""A table as the recorder leaves it, written without one: for tests of readers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from arro3.core import Array, DataType
from arro3.core import Table as Arrow
from deltalake import write_deltalake

from gyroscope.clock import EventTime, day_of
from gyroscope.predictions.tables.table import Table

MARCH_1_US = 1362096000000000  # 2013-03-01 00:00 UTC
HOUR_US = 3_600_000_000
TIME = DataType.timestamp("us", tz="UTC")

KINDS = {
    "request_id": DataType.utf8(),
    "row": DataType.int32(),
    "attempt": DataType.int32(),
    "answered": DataType.bool(),
    "event_time": TIME,
    "arrival_time": TIME,
    "latency_us": DataType.float64(),
    "status": DataType.int16(),
    "error": DataType.utf8(),
    "version": DataType.utf8(),
    "variant": DataType.utf8(),
    "weight": DataType.int32(),
    "replica": DataType.utf8(),
    "entity_key": DataType.utf8(),
    "feature_distance": DataType.float64(),
    "feature_carrier": DataType.utf8(),
    "output_0": DataType.float64(),
    "day": DataType.utf8(),
}


def row(number: int, **more: Any) -> dict[str, Any]:
    """Request `r-<number>`, an hour after the one before, answered and live unless told otherwise."""
    at = MARCH_1_US + number * HOUR_US
    plain = {
        "request_id": f"r-{number}",
        "row": 0,
        "attempt": 1,
        "answered": True,
        "event_time": at,
        "arrival_time": at + 1_000_000,
        "latency_us": 1_500.0,
        "status": 200,
        "error": None,
        "version": "0a1b2c3d4e5f",
        "variant": "live",
        "weight": 1,
        "replica": "flights-0a1b2c3d4e5f-0",
        "entity_key": "",
        "feature_distance": number / 3,
        "feature_carrier": "AA",
        "output_0": 1 / (number + 1),
    }
    return {**plain, **more}


def write(path: Path, rows: list[dict[str, Any]], *, without: tuple[str, ...] = ()) -> Table:
    """Append rows as one commit; `without` names columns that an older format does not have."""
    for one in rows:
        one["day"] = day_of(EventTime(one["event_time"]))
    kinds = {name: kind for name, kind in KINDS.items() if name not in without}
    arrays = [_array([one[name] for one in rows], kind) for name, kind in kinds.items()]
    merge = "merge" if (path / "_delta_log").is_dir() else None
    write_deltalake(
        str(path),
        Arrow.from_arrays(arrays, names=list(kinds)),
        mode="append",
        partition_by=["day"],
        schema_mode=merge,
    )
    return Table(path)


def _array(values: list[Any], kind: DataType) -> Array:
    return Array(values, type=DataType.int64()).cast(kind) if kind == TIME else Array(values, type=kind)
