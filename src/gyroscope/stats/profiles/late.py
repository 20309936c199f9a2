"""The columns of a profile as they were read: all together, entry by entry, each a record of its own once asked for.

`codec.py` makes them. Whoever looks at every column of many windows asks for the `Table` and never pays for records.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
import numpy as np

from gyroscope.stats.arrays import Ints, unpack_int
from gyroscope.stats.profiles.column import ColumnCounts
from gyroscope.stats.profiles.layout import Bins
from gyroscope.stats.sparse import Reader, SparseCounts


class Table(msgspec.Struct, frozen=True, eq=False):
    """C columns, entry by entry.

    Attributes
    ----------
    names, bins : tuples, length C
    starts : int64 array, shape (C,)
        Where the counts of each column begin.
    counts : int64 array, shape (K,)
        Those of all columns, one after the other.
    nan_or_inf, missing : int64 arrays, shape (C,)
    least, greatest : lists of float, length C
    """

    names: tuple[str, ...]
    bins: tuple[Bins, ...]
    starts: Ints
    counts: Ints
    nan_or_inf: Ints
    missing: Ints
    least: list[float]
    greatest: list[float]

    @property
    def ends(self) -> Ints:
        """Where the counts of each column end."""
        return np.append(self.starts[1:], self.counts.size)[: self.starts.size]


class LateColumns(Mapping[str, ColumnCounts]):
    """By name; a column is made when it is first asked for.

    Parameters
    ----------
    table : Table
    places : mapping of str to int
        Of each name in the table.
    sums : (list of bytes, list of bytes), length C each
        Packed totals and squares.
    buckets : Reader
        From a column's place to its buckets.
    """

    def __init__(
        self, table: Table, places: Mapping[str, int], sums: tuple[list[bytes], list[bytes]], buckets: Reader
    ) -> None:
        self.table = table
        self._places = places
        self._sums = sums
        self._buckets = buckets
        self._made: dict[str, ColumnCounts] = {}

    def __getitem__(self, name: str) -> ColumnCounts:
        if name not in self._made:
            self._made[name] = self._column(self._places[name])
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.table.names)

    def __len__(self) -> int:
        return len(self.table.names)

    def __repr__(self) -> str:
        return repr(dict(self))

    def _column(self, at: int) -> ColumnCounts:
        table, (totals, squares) = self.table, self._sums
        return ColumnCounts(
            bins=table.bins[at],
            counts=table.counts[table.starts[at] :][: table.bins[at].size],
            missing=int(table.missing[at]),
            nan_or_inf=int(table.nan_or_inf[at]),
            buckets=SparseCounts.later(self._buckets, at),
            least=table.least[at],
            greatest=table.greatest[at],
            total=unpack_int(totals[at]),
            squares=unpack_int(squares[at]),
        )


def table_of(columns: Mapping[str, ColumnCounts]) -> Table:
    """All columns of a profile, however it came.

    Examples
    --------
    >>> from gyroscope.stats.profiles.layout import NumericBins
    >>> table = table_of({name: ColumnCounts(NumericBins(), np.array([n]), missing=1) for n, name in enumerate("ab")})
    >>> table.counts.tolist(), table.starts.tolist(), table.missing.tolist()
    ([0, 1], [0, 1], [1, 1])
    """
    if isinstance(columns, LateColumns):
        return columns.table
    kept = list(columns.values())
    sizes = np.array([column.counts.size for column in kept], np.int64)
    return Table(
        names=tuple(columns),
        bins=tuple(column.bins for column in kept),
        starts=np.cumsum(sizes) - sizes,
        counts=np.concatenate([np.empty(0, np.int64), *(column.counts for column in kept)]),
        nan_or_inf=np.array([column.nan_or_inf for column in kept], np.int64),
        missing=np.array([column.missing for column in kept], np.int64),
        least=[column.least for column in kept],
        greatest=[column.greatest for column in kept],
    )
