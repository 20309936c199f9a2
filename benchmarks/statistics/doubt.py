"""Rows about shares and rates of a simulation: a quick run falls short only if its 99 % interval excludes the bound.

The rows of this folder call these. The figure that is printed is always the one that was seen.
"""

from __future__ import annotations

import math

import msgspec
from scipy.stats import binomtest, chi2

from benchmarks.rows import Row, at_least, at_most


def share_at_least(row: tuple[str, str], hits: int, n: int, bound: float, *, is_quick: bool) -> Row:
    """`row` is id and claim; the share hits / n is to be at least the bound.

    >>> share_at_least(("S1", "found"), 85, 100, 0.9, is_quick=True).holds
    True
    """
    made = at_least(*row, hits / max(n, 1), bound, f"share, se {_error(hits, n):.3f}", n)
    return _if_quick(made, is_quick, binomtest(hits, n).proportion_ci(0.98).high >= bound)


def share_at_most(row: tuple[str, str], hits: int, n: int, bound: float, *, is_quick: bool) -> Row:
    """The share hits / n is to be at most the bound.

    >>> share_at_most(("G1", "false"), 3, 100, 0.01, is_quick=True).holds
    True
    """
    made = at_most(*row, hits / max(n, 1), bound, f"share, se {_error(hits, n):.3f}", n)
    return _if_quick(made, is_quick, binomtest(hits, n).proportion_ci(0.98).low <= bound)


def rate_at_most(row: tuple[str, str], events: int, exposure: float, bound: float, *, is_quick: bool) -> Row:
    """Events per unit of exposure, for instance false pages per month, are to be at most the bound.

    >>> rate_at_most(("S1", "false pages"), 13, 10.0, 1.0, is_quick=True).holds
    True
    """
    made = at_most(*row, events / exposure, bound, f"per month, se {math.sqrt(events) / exposure:.3f}", events)
    low = chi2.ppf(0.01, 2 * events) / 2 / exposure if events else 0.0
    return _if_quick(made, is_quick, low <= bound)


def _if_quick(made: Row, is_quick: bool, holds: bool) -> Row:
    return msgspec.structs.replace(made, holds=bool(holds)) if is_quick else made


def _error(hits: int, n: int) -> float:
    return math.sqrt(max(hits * (n - hits), 1) / max(n, 1) ** 3)
