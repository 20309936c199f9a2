"""Profiles as releases before 0.1 wrote them, number 1: one record per column. Only read, never written.

`codec.py` calls this.
"""

from __future__ import annotations

import msgspec
import numpy as np

from gyroscope.stats.arrays import unpack_int, unpack_ints
from gyroscope.stats.profiles.column import ColumnCounts
from gyroscope.stats.profiles.layout import Bins
from gyroscope.stats.sparse import SparseCounts


class _ColumnWire(msgspec.Struct, array_like=True):
    name: str
    bins: Bins
    counts: bytes
    missing: int
    nan_or_inf: int
    bucket_steps: bytes
    bucket_counts: bytes
    least: float
    greatest: float
    total: bytes
    squares: bytes


_decoder = msgspec.msgpack.Decoder(list[_ColumnWire])


def columns_of(packed: msgspec.Raw) -> dict[str, ColumnCounts]:
    """The columns in the bytes behind the number of rows; raises ValueError or DecodeError for damaged ones.

    >>> columns_of(msgspec.Raw(msgspec.msgpack.encode([])))
    {}
    """
    return {wire.name: _from_wire(wire) for wire in _decoder.decode(packed)}


def _from_wire(wire: _ColumnWire) -> ColumnCounts:
    counts = unpack_ints(wire.counts)
    if counts.size != wire.bins.size or np.any(counts < 0):
        raise ValueError(f"column {wire.name!r} has {counts.size} counts for {wire.bins.size} bins")
    return ColumnCounts(
        bins=wire.bins,
        counts=counts,
        missing=wire.missing,
        nan_or_inf=wire.nan_or_inf,
        buckets=SparseCounts.from_wire(wire.bucket_steps, wire.bucket_counts),
        least=wire.least,
        greatest=wire.greatest,
        total=unpack_int(wire.total),
        squares=unpack_int(wire.squares),
    )
