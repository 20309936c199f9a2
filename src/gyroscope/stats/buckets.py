"""Log-linear buckets: any float to an integer key, with a relative error below 1 %.

A key is the top 18 bits of a float (sign, exponent, six bits of mantissa): 64 equal steps per power of two. No
logarithm is taken, so every machine puts a value into the same bucket. Profiles and outcomes call this.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gyroscope.stats.arrays import Floats, Ints
from gyroscope.stats.sparse import SparseCounts

RELATIVE_ERROR = 1 / 129
"""Half a bucket over its middle, (1/64) / (2 + 1/64): 0.78 %, for values beyond 2.3e-308 in size."""

DROPPED_BITS = 46
"""Of a float, below those that are its key."""
_SIZE = (1 << 63) - 1


def bucket_keys(values: Floats) -> Ints:
    """The bucket of each value; keys are in the order of the values.

    Parameters
    ----------
    values : float64 array, any shape
        Finite values.

    Returns
    -------
    int64 array, same shape
        0 for zero, negative for negative values.

    Notes
    -----
    The idea of DDSketch (Masson, Rim & Lee 2019, VLDB 12) with linear steps inside an octave, as in HdrHistogram.

    Examples
    --------
    >>> bucket_keys(np.array([-1.0, 0.0, 1.0, 1.01, 1.02])).tolist()
    [-65472, 0, 65472, 65472, 65473]
    """
    bits = values.view(np.int64)
    keys, sign = bits & _SIZE, bits >> 63  # -1 below zero
    keys >>= DROPPED_BITS
    keys ^= sign
    keys -= sign
    return keys


def bucket_middle(key: int) -> float:
    """The value that stands for a bucket: within `RELATIVE_ERROR` of everything in it.

    Parameters
    ----------
    key : int

    Returns
    -------
    float
        The harmonic mean of the bucket's ends.

    Examples
    --------
    >>> round(bucket_middle(65472), 4), bucket_middle(0)
    (1.0078, 0.0)
    """
    return float(bucket_middles(np.array([key]))[0])


def bucket_middles(keys: Ints) -> Floats:
    """The values that stand for some buckets.

    Parameters
    ----------
    keys : int64 array, shape (n,)

    Returns
    -------
    float64 array, shape (n,)
        The harmonic mean of each bucket's ends.

    Examples
    --------
    >>> bucket_middles(np.array([-65472, 0, 65472])).round(4).tolist()
    [-1.0078, 0.0, 1.0078]
    """
    size = np.abs(keys)
    low, high = (size << DROPPED_BITS).view(np.float64), ((size + 1) << DROPPED_BITS).view(np.float64)
    # The last bucket ends at 2**1024, which is no float; its harmonic mean is this.
    is_last = np.isinf(high)
    high = np.where(is_last, low, high)
    middle = np.where(is_last, low * (1 + 1 / 255), low * (high / (low / 2 + high / 2)))
    return np.where(size == 0, 0.0, np.copysign(middle, keys))


def bucket_quantile(buckets: SparseCounts, q: float) -> float:
    """The value at a share `q` of the counted values, by rank (the inverse of the empirical distribution).

    Parameters
    ----------
    buckets : SparseCounts
        At least one value.
    q : float
        0 to 1.

    Returns
    -------
    float
        Within `RELATIVE_ERROR` of the exact value at that rank.

    Examples
    --------
    >>> round(bucket_quantile(SparseCounts.of(bucket_keys(np.array([1.0, 5.0, 100.0]))), 0.5), 2)
    5.03
    """
    return bucket_quantiles(buckets, (q,))[0]


def bucket_quantiles(buckets: SparseCounts, shares: Sequence[float]) -> list[float]:
    """As `bucket_quantile`, at several shares at once.

    Parameters
    ----------
    buckets : SparseCounts
        At least one value.
    shares : floats
        0 to 1 each.

    Returns
    -------
    list of float

    Examples
    --------
    >>> [round(value, 2) for value in bucket_quantiles(SparseCounts.of(bucket_keys(np.array([1.0, 5.0]))), (0.5, 1.0))]
    [1.01, 5.03]
    """
    up_to = np.cumsum(buckets.counts)
    ranks = [max(math.ceil(q * int(up_to[-1])), 1) for q in shares]
    middles = bucket_middles(buckets.keys[np.searchsorted(up_to, ranks)])
    return [float(middle) for middle in middles]
