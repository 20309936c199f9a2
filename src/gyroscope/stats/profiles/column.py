"""The counts of one column of one window.

`counting.py` makes them, `Profile` holds them, drift and reports read them. They never hold a value of a row.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from gyroscope.errors import GyroscopeError
from gyroscope.records import NotEnoughData
from gyroscope.stats.arrays import Floats, Ints
from gyroscope.stats.buckets import bucket_quantiles
from gyroscope.stats.profiles.layout import Bins, NumericBins
from gyroscope.stats.sparse import SparseCounts
from gyroscope.stats.sums import as_float

_NO_VALUE = NotEnoughData("no finite value")
_SQUARABLE = 1e150


class ColumnCounts(msgspec.Struct, frozen=True, eq=False):
    """What is kept about a column; every entry is exact and adds up exactly.

    Attributes
    ----------
    bins : NumericBins or CategoryBins
        From the layout.
    counts : int64 array
        Numeric: below, the bins, above (one entry without bins). Strings: the categories, other, new.
    missing : int
        NaN, NaT, None.
    nan_or_inf : int
        Values that are present and not finite: +inf and -inf (a NaN in an array is `missing`).
    buckets : SparseCounts
        Finite values by log-linear bucket, for quantiles.
    least, greatest : float
        Of the finite values; inf and -inf when there is none.
    total, squares : int
        Sum of the finite values and of their squared distances from `center_of(bins)`, in units of 2**-1074.

    Examples
    --------
    >>> from gyroscope.stats.profiles import fit_layout, profile
    >>> columns = {"x": np.array([1.0, 2.0, 3.0, np.nan])}
    >>> x = profile(columns, fit_layout(columns)).columns["x"]
    >>> x.counts.tolist(), x.missing, x.mean, x.sd, x.max
    ([0, 1, 1, 1, 0], 1, 2.0, 1.0, 3.0)
    """

    bins: Bins
    counts: Ints
    missing: int
    nan_or_inf: int = 0
    buckets: SparseCounts = msgspec.field(default_factory=SparseCounts.empty)
    least: float = math.inf
    greatest: float = -math.inf
    total: int = 0
    squares: int = 0

    @staticmethod
    def empty(bins: Bins) -> ColumnCounts:
        """A column of no rows: merging it changes nothing."""
        return ColumnCounts(bins, np.zeros(bins.size, np.int64), 0)

    @property
    def n(self) -> int:
        """Rows, missing ones included."""
        return int(self.counts.sum()) + self.missing + self.nan_or_inf

    @property
    def values(self) -> int:
        """Rows that have a finite value or a string."""
        return int(self.counts.sum())

    @property
    def cells(self) -> Ints:
        """Everything a row can be: `counts`, then `nan_or_inf`, then `missing`; sums to `n`."""
        return np.append(self.counts, (self.nan_or_inf, self.missing))

    @property
    def shares(self) -> Floats | NotEnoughData:
        """`cells` as shares of all rows; sums to 1."""
        return self.cells / self.n if self.n else NotEnoughData("no rows")

    @property
    def min(self) -> float | NotEnoughData:
        """The least finite value."""
        return self.least if math.isfinite(self.least) else _NO_VALUE

    @property
    def max(self) -> float | NotEnoughData:
        """The greatest finite value."""
        return self.greatest if math.isfinite(self.greatest) else _NO_VALUE

    @property
    def mean(self) -> float | NotEnoughData:
        """The mean of the finite values, rounded once."""
        return as_float(self.total, self.values) if math.isfinite(self.least) else _NO_VALUE

    @property
    def sd(self) -> float | NotEnoughData:
        """The standard deviation of the finite values (divisor n - 1)."""
        n = self.values
        if not math.isfinite(self.least) or n < 2:
            return NotEnoughData(f"{0 if math.isinf(self.least) else n} finite values; a spread needs 2")
        if max(-self.least, self.greatest) > _SQUARABLE:
            return NotEnoughData(f"values beyond {_SQUARABLE:g} cannot be squared")
        off_center = as_float(self.total, n) - center_of(self.bins)
        variance = as_float(self.squares, n) - off_center * off_center
        return math.sqrt(max(variance, 0.0) * n / (n - 1))

    def quantile(self, q: float) -> float | NotEnoughData:
        """The finite value at a share q (0 to 1) of the values, within 1 % of the exact one at that rank.

        The error of the bucket is 1 / 129 = 0.78 %; `min` and `max` are exact.
        """
        found = self.quantiles((q,))
        return found if isinstance(found, NotEnoughData) else found[0]

    def quantiles(self, shares: Sequence[float]) -> list[float] | NotEnoughData:
        """As `quantile`, at several shares at once."""
        if not self.buckets.keys.size:
            return _NO_VALUE
        found = bucket_quantiles(self.buckets, shares)
        return [min(max(value, self.least), self.greatest) for value in found]

    def merge(self, other: ColumnCounts) -> ColumnCounts:
        """The counts of both windows, exactly those of their rows together."""
        self._check_bins(other)
        return ColumnCounts(
            bins=self.bins,
            counts=self.counts + other.counts,
            missing=self.missing + other.missing,
            nan_or_inf=self.nan_or_inf + other.nan_or_inf,
            buckets=self.buckets.merge(other.buckets),
            least=min(self.least, other.least),
            greatest=max(self.greatest, other.greatest),
            total=self.total + other.total,
            squares=self.squares + other.squares,
        )

    @staticmethod
    def merge_all(columns: Sequence[ColumnCounts]) -> ColumnCounts:
        """The counts of all windows, at least one, exactly as merging them one by one."""
        for other in columns:
            columns[0]._check_bins(other)
        return ColumnCounts(
            bins=columns[0].bins,
            counts=np.sum([column.counts for column in columns], axis=0, dtype=np.int64),
            missing=sum(column.missing for column in columns),
            nan_or_inf=sum(column.nan_or_inf for column in columns),
            buckets=SparseCounts.merge_all([column.buckets for column in columns]),
            least=min(column.least for column in columns),
            greatest=max(column.greatest for column in columns),
            total=sum(column.total for column in columns),
            squares=sum(column.squares for column in columns),
        )

    def _check_bins(self, other: ColumnCounts) -> None:
        if self.bins is not other.bins and self.bins != other.bins:
            raise GyroscopeError(
                "these columns were counted on different bins",
                where=f"{type(self.bins).__name__} and {type(other.bins).__name__}",
                fix="profile both windows with the layout of one reference",
            )

    def scaled(self, weight: int) -> ColumnCounts:
        """The counts as if every row had been there `weight` times; `weight` is at least 1."""
        return ColumnCounts(
            bins=self.bins,
            counts=self.counts * weight,
            missing=self.missing * weight,
            nan_or_inf=self.nan_or_inf * weight,
            buckets=self.buckets.scaled(weight),
            least=self.least,
            greatest=self.greatest,
            total=self.total * weight,
            squares=self.squares * weight,
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ColumnCounts):
            return NotImplemented
        return np.array_equal(self.counts, other.counts) and self._rest() == other._rest()

    __hash__ = None  # type: ignore[assignment]  # arrays inside

    def _rest(self) -> tuple[object, ...]:
        numbers = (self.missing, self.nan_or_inf, self.least, self.greatest, self.total, self.squares)
        return (self.bins, self.buckets, *numbers)


def center_of(bins: Bins) -> float:
    """The value that squares are taken from: the middle edge, so that they stay small where the data is.

    Examples
    --------
    >>> center_of(NumericBins((1.0, 2.0, 9.0)))
    2.0
    """
    return bins.edges[len(bins.edges) // 2] if isinstance(bins, NumericBins) and bins.edges else 0.0
