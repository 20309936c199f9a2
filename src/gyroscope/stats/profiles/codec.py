"""The frozen bytes of a profile: msgpack, compressed; integers as steps between neighbours.

`Profile.to_bytes` and `from_bytes` call this. A change of form gets a new number; old numbers stay readable
(`first_form.py` reads number 1).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import msgspec
import numpy as np

from gyroscope.errors import StoreError
from gyroscope.stats.arrays import Ints, pack_int, pack_steps, unpack_int, unpack_steps
from gyroscope.stats.profiles import first_form
from gyroscope.stats.profiles.column import ColumnCounts
from gyroscope.stats.profiles.layout import Bins
from gyroscope.stats.sparse import SparseCounts

_FORM = "gyroscope.profile"
_NUMBER = 2
_LEVEL = 3
"""Of zlib: the highest makes them 3 % smaller and takes ten times as long."""


class _Body(msgspec.Struct, array_like=True):
    """All columns, entry by entry, so that ten thousand profiles are read in seconds."""

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


class _Head(msgspec.Struct, array_like=True):
    form: str
    number: int
    n: int
    rest: msgspec.Raw


_head_decoder = msgspec.msgpack.Decoder(_Head)
_body_decoder = msgspec.msgpack.Decoder(_Body)


def encode(n: int, columns: dict[str, ColumnCounts]) -> bytes:
    """The bytes of a profile.

    Parameters
    ----------
    n : int
        Rows.
    columns : dict of str to ColumnCounts
        In the order of the layout; equal columns in equal order give equal bytes (with one release of zlib).

    Returns
    -------
    bytes

    Examples
    --------
    >>> msgspec.msgpack.decode(encode(3, {}))[:3]
    ['gyroscope.profile', 2, 3]
    """
    body = zlib.compress(msgspec.msgpack.encode(_body_of(columns)), _LEVEL)
    return msgspec.msgpack.encode((_FORM, _NUMBER, n, body))


def decode(packed: bytes) -> tuple[int, dict[str, ColumnCounts]]:
    """The rows and columns that `encode` wrote.

    Parameters
    ----------
    packed : bytes

    Returns
    -------
    (n, columns) : int, dict of str to ColumnCounts

    Raises
    ------
    StoreError
        When the bytes are damaged, or no profile, or of a number this release does not know.

    Examples
    --------
    >>> decode(encode(3, {}))
    (3, {})
    """
    try:
        head = _head_decoder.decode(packed)
        if head.form != _FORM or head.number not in (1, _NUMBER):
            raise ValueError(f"it says {head.form!r} number {head.number}")
        if head.number == 1:
            return head.n, first_form.columns_of(head.rest)
        body = _body_decoder.decode(zlib.decompress(msgspec.msgpack.decode(head.rest, type=bytes)))
        return head.n, dict(_columns_of(body))
    except (msgspec.DecodeError, zlib.error, ValueError, IndexError) as damage:
        raise StoreError(
            f"this is no profile of form {_NUMBER} or older: {damage}",
            where=f"{len(packed)} bytes",
            fix="build the profile again from the rows it came from",
        ) from damage


def _body_of(columns: dict[str, ColumnCounts]) -> _Body:
    kept = list(columns.values())
    buckets = [column.buckets for column in kept]
    return _Body(
        names=list(columns),
        bins=[column.bins for column in kept],
        counts=_packed(column.counts for column in kept),
        missing=pack_steps(np.array([column.missing for column in kept], np.int64)),
        nan_or_inf=pack_steps(np.array([column.nan_or_inf for column in kept], np.int64)),
        bucket_sizes=pack_steps(np.array([counted.keys.size for counted in buckets], np.int64)),
        bucket_keys=_packed(counted.keys for counted in buckets),
        bucket_counts=_packed(counted.counts for counted in buckets),
        least=[column.least for column in kept],
        greatest=[column.greatest for column in kept],
        totals=[pack_int(column.total) for column in kept],
        squares=[pack_int(column.squares) for column in kept],
    )


def _packed(arrays: Iterable[Ints]) -> bytes:
    return pack_steps(np.concatenate([np.empty(0, np.int64), *arrays]))


def _columns_of(body: _Body) -> Iterable[tuple[str, ColumnCounts]]:
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
