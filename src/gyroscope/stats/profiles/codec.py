"""The frozen bytes of a profile: msgpack, compressed in three parts; integers as steps between neighbours.

`Profile.to_bytes` and `from_bytes` call this. Equal layouts have equal bytes and are read once; buckets, the most of
it, are unpacked when somebody asks for them. A change of form gets a new number; old numbers stay readable.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache, reduce
from itertools import pairwise
from typing import NamedTuple

import msgspec
import numpy as np

from gyroscope.errors import StoreError
from gyroscope.stats.arrays import LEAST_BYTES, Ints, are_steps, pack_int, pack_steps, unpack_steps_each
from gyroscope.stats.profiles import first_form, second_form
from gyroscope.stats.profiles.column import ColumnCounts
from gyroscope.stats.profiles.equal_rows import MOST, EqualRows
from gyroscope.stats.profiles.late import LateColumns, Table
from gyroscope.stats.profiles.layout import Bins
from gyroscope.stats.sparse import SparseCounts

_FORM = "gyroscope.profile"
_NUMBER = 4
_WITHOUT_MARKS = 3
_EARLIER = {1: first_form.columns_of, 2: second_form.columns_of}
_LEVEL = 3
"""Of zlib: the highest makes them 3 % smaller and takes ten times as long."""
_TOGETHER = 16
"""So many columns have their buckets in one piece: who asks for one column reads no others, or few."""
_LAYOUTS = 256
"""So many layouts are kept: as many versions are measured without reading one twice."""

Decoded = tuple[int, Mapping[str, ColumnCounts], EqualRows | None]
"""Rows, columns, and equal rows where they were counted."""


class _Layout(msgspec.Struct, array_like=True, frozen=True):
    names: tuple[str, ...]
    bins: tuple[Bins, ...]


class _Counts(msgspec.Struct, array_like=True):
    """All columns, entry by entry."""

    counts: bytes
    missing: bytes
    nan_or_inf: bytes
    least: list[float]
    greatest: list[float]
    totals: list[bytes]
    squares: list[bytes]


class _Buckets(msgspec.Struct, array_like=True):
    """Some columns, one after the other."""

    sizes: bytes
    keys: bytes
    counts: bytes


class _Head(msgspec.Struct, array_like=True):
    form: str
    number: int
    n: int
    rest: msgspec.Raw


class _Whole(msgspec.Struct, array_like=True):
    """`check` is the CRC-32 of buckets, which are read later, and marks; no marks: equal rows were not counted."""

    form: str
    number: int
    n: int
    layout: bytes
    counts: bytes
    check: int
    buckets: list[bytes]
    marks: bytes = b""


class _Marks(msgspec.Struct, array_like=True):
    """How many rows were counted, and the least marks of the different ones."""

    rows: int
    marks: bytes


class _Read(NamedTuple):
    """What the bytes of a profile hold; `steps` are those of its counts, missing and infinite values, and marks."""

    whole: _Whole
    layout: _Layout
    starts: Ints
    places: dict[str, int]
    body: _Counts
    marks: _Marks | None
    steps: list[bytes]


_head_decoder = msgspec.msgpack.Decoder(_Head)
_whole_decoder = msgspec.msgpack.Decoder(_Whole)
_layout_decoder = msgspec.msgpack.Decoder(_Layout)
_counts_decoder = msgspec.msgpack.Decoder(_Counts)
_buckets_decoder = msgspec.msgpack.Decoder(_Buckets)
_marks_decoder = msgspec.msgpack.Decoder(_Marks)


def encode(n: int, columns: Mapping[str, ColumnCounts], equal_rows: EqualRows | None) -> bytes:
    """The bytes of a profile.

    Parameters
    ----------
    n : int
        Rows.
    columns : mapping of str to ColumnCounts
        In the order of the layout; equal columns in equal order give equal bytes (with one release of zlib).
    equal_rows : EqualRows or None
        None where they were not counted.

    Returns
    -------
    bytes

    Examples
    --------
    >>> msgspec.msgpack.decode(encode(3, {}, None))[:3]
    ['gyroscope.profile', 4, 3]
    """
    kept = list(columns.values())
    layout = _compressed(_Layout(tuple(columns), tuple(column.bins for column in kept)))
    parts = (kept[first : first + _TOGETHER] for first in range(0, len(kept), _TOGETHER))
    buckets = [_compressed(_buckets_of([column.buckets for column in part])) for part in parts]
    marks = b"" if equal_rows is None else _compressed(_Marks(equal_rows.rows, pack_steps(equal_rows.marks)))
    check = _check_of([*buckets, marks])
    whole = _Whole(_FORM, _NUMBER, n, layout, _compressed(_counts_of(kept)), check, buckets, marks)
    return msgspec.msgpack.encode(whole)


def decode(packed: bytes) -> Decoded:
    """The rows, columns and equal rows that `encode` wrote.

    Parameters
    ----------
    packed : bytes

    Returns
    -------
    (n, columns, equal_rows) : int, mapping of str to ColumnCounts, EqualRows or None

    Raises
    ------
    StoreError
        When the bytes are damaged, or no profile, or of a number this release does not know.

    Examples
    --------
    >>> decode(encode(3, {}, None))
    (3, {}, None)
    """
    return decode_each([packed])[0]


def decode_each(packed: Sequence[bytes]) -> list[Decoded]:
    """As `decode`, of many at once: small ones of one layout take a third less time.

    Examples
    --------
    >>> decode_each([encode(3, {}, None), encode(4, {}, None)])
    [(3, {}, None), (4, {}, None)]
    """
    read = [_read(one) for one in packed]
    steps = iter(unpack_steps_each([part for one in read if isinstance(one, _Read) for part in one.steps]))
    return [
        _decoded(one, whole, [next(steps) for _ in one.steps]) if isinstance(one, _Read) else one
        for whole, one in zip(packed, read, strict=True)
    ]


def _read(packed: bytes) -> _Read | Decoded:
    """A profile but for its steps; one of an earlier form is whole."""
    with _damage_named(packed):
        head = _head_decoder.decode(packed)
        if head.form != _FORM or head.number not in (*_EARLIER, _WITHOUT_MARKS, _NUMBER):
            raise ValueError(f"it says {head.form!r} number {head.number}")
        if head.number in _EARLIER:
            return head.n, _EARLIER[head.number](head.rest), None
        whole = _whole_decoder.decode(packed)
        _check(_check_of([*whole.buckets, whole.marks]) == whole.check, "buckets or marks that were not written so")
        layout, starts, places = _layout_of(whole.layout)
        _check(len(whole.buckets) == -(-len(layout.names) // _TOGETHER), f"{len(whole.buckets)} pieces of buckets")
        body = _counts_decoder.decode(zlib.decompress(whole.counts))
        marks = _marks_decoder.decode(zlib.decompress(whole.marks)) if whole.marks else None
        steps = [body.counts, body.missing, body.nan_or_inf, *([] if marks is None else [marks.marks])]
        for part in steps:
            _check(are_steps(part), "steps that are cut off")
        return _Read(whole, layout, starts, places, body, marks, steps)


def _decoded(one: _Read, packed: bytes, steps: list[Ints]) -> Decoded:
    with _damage_named(packed):
        table, sums = _table_of(one.layout, one.starts, one.body, steps), (one.body.totals, one.body.squares)
        equal = None if one.marks is None else _equal_rows_of(one.marks.rows, steps[-1])
        return one.whole.n, LateColumns(table, one.places, sums, _Later(one.whole.buckets).of), equal


@contextmanager
def _damage_named(packed: bytes) -> Iterator[None]:
    try:
        yield
    except (msgspec.DecodeError, zlib.error, ValueError, IndexError) as damage:
        raise StoreError(
            f"this is no profile of form {_NUMBER} or older: {damage}",
            where=f"{len(packed)} bytes",
            fix="build the profile again from the rows it came from",
        ) from damage


def _check_of(buckets: list[bytes]) -> int:
    return reduce(lambda known, part: zlib.crc32(part, known), buckets, 0)


def _compressed(part: msgspec.Struct) -> bytes:
    return zlib.compress(msgspec.msgpack.encode(part), _LEVEL)


def _counts_of(kept: list[ColumnCounts]) -> _Counts:
    return _Counts(
        counts=_packed(column.counts for column in kept),
        missing=pack_steps(np.array([column.missing for column in kept], np.int64)),
        nan_or_inf=pack_steps(np.array([column.nan_or_inf for column in kept], np.int64)),
        least=[column.least for column in kept],
        greatest=[column.greatest for column in kept],
        totals=[pack_int(column.total) for column in kept],
        squares=[pack_int(column.squares) for column in kept],
    )


def _buckets_of(kept: list[SparseCounts]) -> _Buckets:
    return _Buckets(
        sizes=pack_steps(np.array([counted.keys.size for counted in kept], np.int64)),
        keys=_packed(counted.keys for counted in kept),
        counts=_packed(counted.counts for counted in kept),
    )


def _packed(arrays: Iterable[Ints]) -> bytes:
    return pack_steps(np.concatenate([np.empty(0, np.int64), *arrays]))


@lru_cache(maxsize=_LAYOUTS)
def _layout_of(packed: bytes) -> tuple[_Layout, Ints, dict[str, int]]:
    """The layout, where the counts of each column begin and the last end, and places by name. Equal ones are shared."""
    layout = _layout_decoder.decode(zlib.decompress(packed))
    places = {name: place for place, name in enumerate(layout.names)}
    return layout, np.cumsum([0, *(bins.size for bins in layout.bins)]), places


def _table_of(layout: _Layout, starts: Ints, body: _Counts, steps: list[Ints]) -> Table:
    counts, missing, odd = steps[:3]
    _check(counts.size == starts[-1], f"{counts.size} counts for {starts[-1]} bins")
    _check(int(counts.min(initial=0)) >= 0, "counts below zero")
    every = (missing, odd, body.least, body.greatest, body.totals, body.squares)
    _check({len(one) for one in every} == {len(layout.names)}, "columns without an entry")
    _check(min(map(len, (*body.totals, *body.squares)), default=LEAST_BYTES) >= LEAST_BYTES, "sums that are cut off")
    return Table(layout.names, layout.bins, starts[:-1], counts, odd, missing, body.least, body.greatest)


class _Later:
    """The buckets of all columns; those that lie together are unpacked when one of them is asked for."""

    def __init__(self, packed: list[bytes]) -> None:
        self._packed = packed
        self._found: dict[int, list[tuple[Ints, Ints]]] = {}

    def of(self, at: int) -> tuple[Ints, Ints]:
        """Keys and counts of a column by its place; raises `StoreError`."""
        part, place = divmod(at, _TOGETHER)
        if part not in self._found:
            packed = self._packed[part]
            with _damage_named(packed):
                self._found[part] = _unpacked_buckets(_buckets_decoder.decode(zlib.decompress(packed)))
        return self._found[part][place]


def _unpacked_buckets(body: _Buckets) -> list[tuple[Ints, Ints]]:
    sizes, keys, counts = unpack_steps_each([body.sizes, body.keys, body.counts])
    _check(not (sizes < 0).any() and not (counts < 1).any(), "counts below zero")
    ends = np.cumsum([0, *sizes]).tolist()
    _check(keys.size == counts.size == ends[-1], "buckets that are not those of its columns")
    return [(keys[start:end], counts[start:end]) for start, end in pairwise(ends)]


def _equal_rows_of(rows: int, marks: Ints) -> EqualRows:
    _check(marks.size <= min(rows, MOST), f"{marks.size} marks of {rows} rows")
    _check(not (marks[1:] <= marks[:-1]).any(), "marks that do not ascend")
    return EqualRows(rows, marks)


def _check(holds: bool | np.bool_, otherwise: str) -> None:
    if not holds:
        raise ValueError(f"it has {otherwise}")
