"""Distances by the names people know, each beside what it shows when nothing has changed, for use as plain thresholds.

Monitoring and reports call this. None has an interval, and each grows when rows get fewer: `drift` is what to judge by.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gyroscope.records import NotEnoughData
from gyroscope.stats.arrays import Floats, Ints
from gyroscope.stats.buckets import bucket_middles
from gyroscope.stats.drift import distances
from gyroscope.stats.profiles.column import ColumnCounts
from gyroscope.stats.profiles.layout import NumericBins

_KOLMOGOROV_MEAN = math.sqrt(math.pi / 2) * math.log(2)
_STEPS = np.linspace(0.0, 6.0, 241)[:, np.newaxis]


class Distance(NamedTuple):
    """A distance, and about what it is on average when both sides come from one distribution, at these many rows."""

    value: float
    null: float


class _Sides(NamedTuple):
    """Reference and current with their effective rows; `p` and `q` are shares of all cells."""

    reference: ColumnCounts
    current: ColumnCounts
    rows_p: float
    rows_q: float
    p: Floats
    q: Floats

    @property
    def noise(self) -> float:
        return 1 / self.rows_p + 1 / self.rows_q


def plain_distance(
    name: str, reference: ColumnCounts, current: ColumnCounts, rows: tuple[float, float] | None = None
) -> Distance | NotEnoughData:
    """One distance between two columns that were counted on the same bins.

    Parameters
    ----------
    name : str
        One of `PLAIN`: psi, js, hellinger, ks, wasserstein, chi_square, l_infinity.
    reference, current : ColumnCounts
        Missing and infinite values are cells like any other, but for ks and wasserstein, which are of finite values.
    rows : (float, float), optional
        Effective rows of reference and current (`effective_rows`); else the rows counted. Only chi_square and the null
        means depend on them.

    Returns
    -------
    Distance or NotEnoughData
        psi, chi_square: at least 0. js, hellinger, ks, l_infinity: 0 to 1. wasserstein: in standard deviations of the
        reference, within 1 % of the values. `NotEnoughData` when a side has no row (for ks and wasserstein no finite
        value), when the column has no order, or no spread to measure by.

    Raises
    ------
    KeyError
        For a name that is not in `PLAIN`.

    Notes
    -----
    Null means: psi, js, hellinger, chi_square from chi-square with K - 1 degrees of freedom (Csiszar & Shields 2004);
    ks 0.87 sqrt(1/N + 1/n), the mean of Kolmogorov's distribution (Marsaglia, Tsang & Wang 2003), too high where bins
    are few; wasserstein from the integral of sqrt(F (1 - F)) (del Barrio, Gine & Matran 1999, Ann. Prob. 27, 1009);
    l_infinity from the largest of K normal differences taken as independent.

    Examples
    --------
    >>> from gyroscope.stats.profiles import fit_layout, profile
    >>> before, after = {"x": np.repeat([0.0, 1.0], [500, 500])}, {"x": np.repeat([0.0, 1.0], [300, 700])}
    >>> layout = fit_layout(before)
    >>> a, b = (profile(rows, layout).columns["x"] for rows in (before, after))
    >>> {name: round(plain_distance(name, a, b).value, 2) for name in ("psi", "ks", "wasserstein", "l_infinity")}
    {'psi': 0.17, 'ks': 0.2, 'wasserstein': 0.4, 'l_infinity': 0.2}
    >>> [round(number, 1) for number in plain_distance("chi_square", a, b)]
    [83.3, 1.0]
    """
    measure = PLAIN[name]
    if not reference.n or not current.n:
        return NotEnoughData(f"{reference.n} reference rows and {current.n} current ones")
    rows_p, rows_q = rows or (float(reference.n), float(current.n))
    p, q = reference.cells / reference.n, current.cells / current.n
    return measure(_Sides(reference, current, rows_p, rows_q, p, q))


def _psi(sides: _Sides) -> Distance:
    value = distances.psi(sides.reference.cells, sides.current.cells)
    return Distance(value, distances.null_means(sides.p, sides.q, sides.noise).psi)


def _jensen_shannon(sides: _Sides) -> Distance:
    value = distances.jensen_shannon(sides.p, sides.q)
    return Distance(value, distances.null_means(sides.p, sides.q, sides.noise).js)


def _hellinger(sides: _Sides) -> Distance:
    value = distances.hellinger(sides.p, sides.q)
    return Distance(value, distances.null_means(sides.p, sides.q, sides.noise).hellinger)


def _chi_square(sides: _Sides) -> Distance:
    pooled = (sides.rows_p * sides.p + sides.rows_q * sides.q) / (sides.rows_p + sides.rows_q)
    used = pooled > 0
    value = float(((sides.p - sides.q)[used] ** 2 / pooled[used]).sum()) / sides.noise
    return Distance(value, max(float(np.count_nonzero(used)) - 1, 0.0))


def _l_infinity(sides: _Sides) -> Distance:
    pooled = (sides.p + sides.q) / 2
    spread = np.sqrt(pooled * (1 - pooled) * sides.noise)
    widest = float(spread.max())
    value = float(np.abs(sides.p - sides.q).max())
    if not widest:
        return Distance(value, 0.0)
    from scipy.special import erf  # a replica starts without scipy

    # E max = the integral of P(max > t): no difference of a cell is above six of the widest deviations.
    within = erf(_STEPS * widest / (math.sqrt(2) * spread[spread > 0])).prod(axis=1)
    return Distance(value, min(float(np.trapezoid(1 - within, _STEPS[:, 0])) * widest, 1.0))


def _kolmogorov(sides: _Sides) -> Distance | NotEnoughData:
    if not isinstance(sides.reference.bins, NumericBins):
        return NotEnoughData("a column of text has no order")
    value = distances.kolmogorov(sides.reference.counts, sides.current.counts)
    if value is None:
        return NotEnoughData("a side has no finite value")
    return Distance(value, min(_KOLMOGOROV_MEAN * math.sqrt(sides.noise), 1.0))


def _wasserstein(sides: _Sides) -> Distance | NotEnoughData:
    reference, current = sides.reference.buckets, sides.current.buckets
    if not isinstance(sides.reference.bins, NumericBins):
        return NotEnoughData("a column of text has no order")
    if not reference.keys.size or not current.keys.size:
        return NotEnoughData("a side has no finite value")
    sd = sides.reference.sd
    if isinstance(sd, NotEnoughData):
        return sd
    if not sd > 0:
        return NotEnoughData("the reference is constant: no spread to measure by")
    keys: Ints = np.union1d(reference.keys, current.keys)
    # Divided first: values of 1e308 on both sides are further apart than a float can say.
    steps = np.diff(bucket_middles(keys) / sd)
    f = np.cumsum(_at(keys, reference.keys, reference.counts / reference.total))[:-1]
    g = np.cumsum(_at(keys, current.keys, current.counts / current.total))[:-1]
    middle = np.clip((f + g) / 2, 0.0, 1.0)
    null = math.sqrt(2 / math.pi * sides.noise) * float((np.sqrt(middle * (1 - middle)) * steps).sum())
    return Distance(float((np.abs(f - g) * steps).sum()), null)


def _at(keys: Ints, some: Ints, counts: Floats) -> Floats:
    spread = np.zeros(keys.size)
    spread[np.searchsorted(keys, some)] = counts
    return spread


PLAIN: dict[str, Callable[[_Sides], Distance | NotEnoughData]] = {
    "psi": _psi,
    "js": _jensen_shannon,
    "hellinger": _hellinger,
    "ks": _kolmogorov,
    "wasserstein": _wasserstein,
    "chi_square": _chi_square,
    "l_infinity": _l_infinity,
}
"""Name -> how it is measured."""
