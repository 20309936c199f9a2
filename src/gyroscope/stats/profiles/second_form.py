"""Profiles as earlier builds wrote them, number 2: all columns together, entry by entry. Only read, never written.

`codec.py` calls this.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import msgspec
import numpy as np

from gyroscope.stats.arrays import unpack_int, unpack_steps
from gyroscope.stats.profiles.column import ColumnCounts
from gyroscope.stats.profiles.layout import Bins
from gyroscope.stats.sparse import SparseCounts


class _Body(msgspec.Struct, array_like=True):
    names: list[str]
    bins: list[Bins]
    counts: bytes
    missing: bytes
    nan_or_inf: bytes
    bucket_sizes: bytes
    bucket_keys: bytes
    bucket_counts: bytes
    least: list[float]
    greatest: list[float]
    totals: list[bytes]
    squares: list[bytes]


_decoder = msgspec.msgpack.Decoder(_Body)


def columns_of(packed: msgspec.Raw) -> dict[str, ColumnCounts]:
    """The columns in the bytes behind the number of rows; raises ValueError, DecodeError or `zlib.error` for damage.

    >>> body = _Body([], [], *[b"\\x01"] * 6, *[[]] * 4)
    >>> columns_of(msgspec.Raw(msgspec.msgpack.encode(zlib.compress(msgspec.msgpack.encode(body)))))
    {}
    """
    return dict(_columns_of(_decoder.decode(zlib.decompress(msgspec.msgpack.decode(packed, type=bytes)))))


def _columns_of(body: _Body) -> Iterator[tuple[str, ColumnCounts]]:
    sizes = unpack_steps(body.bucket_sizes)
    counts, keys, weights = (unpack_steps(part) for part in (body.counts, body.bucket_keys, body.bucket_counts))
    missing, odd = unpack_steps(body.missing).tolist(), unpack_steps(body.nan_or_inf).tolist()
    ends, bounds = np.cumsum([0, *(bins.size for bins in body.bins)]), np.cumsum([0, *sizes])
    _check(counts.size == ends[-1], f"{counts.size} counts for {ends[-1]} bins")
    _check(keys.size == weights.size == bounds[-1], "buckets that are not those of its columns")
    _check(not np.any(counts < 0) and not np.any(weights < 1) and not np.any(sizes < 0), "counts below zero")
    cells, places = ends.tolist(), bounds.tolist()
    for at, name in enumerate(body.names):
        some = slice(places[at], places[at + 1])
        yield (
            name,
            ColumnCounts(
                bins=body.bins[at],
                counts=counts[cells[at] : cells[at + 1]],
                missing=missing[at],
                nan_or_inf=odd[at],
                buckets=SparseCounts(keys[some], weights[some]),
                least=body.least[at],
                greatest=body.greatest[at],
                total=unpack_int(body.totals[at]),
                squares=unpack_int(body.squares[at]),
            ),
        )


def _check(holds: bool | np.bool_, otherwise: str) -> None:
    if not holds:
        raise ValueError(f"it has {otherwise}")
