"""Hard rules: breakage that needs no evidence over time and is found in the first window that shows it.

Monitoring calls them for each closed window. None of them can fire on a window like one of the reference's, and none
waits for labels or history. They never judge a small shift: that is for the streams of this room and of drift.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from scipy.special import xlogy

from gyroscope.records import NotEnoughData
from gyroscope.stats.profiles import CategoryBins, ColumnCounts, Profile
from gyroscope.stats.profiles.late import Table, table_of
from gyroscope.stats.quality.finding import Finding, FindingKind
from gyroscope.stats.quality.limits import ColumnLimits, unusual_share

LEAST_ROWS = 20
"""With fewer rows a column that is half empty, or two thirds of one value, is all so by chance once in 1,000 days."""

SURE = 1e-6
"""Below this probability under the reference, "all of them" is no chance: with 100 columns and daily windows it would
still happen once in 27 years."""

UNUSUAL_SHARE = 0.30
UNUSUAL_TIMES = 3.0
STALE_INTERVALS = 3
FUTURE_US = 300_000_000

_QUOTED, _WORD = re.compile(r"'([^']+)'"), re.compile(r"\w+")


def hard_rules(limits: Mapping[str, ColumnLimits], current: Profile) -> list[Finding] | NotEnoughData:
    """What is broken in a window, column by column.

    Parameters
    ----------
    limits : mapping of str to ColumnLimits
        From `learn_limits` on the windows of the reference.
    current : Profile
        On the layout of the reference.

    Returns
    -------
    list of Finding, or NotEnoughData
        At most one per column, the gravest: all missing, constant, unusual. `NotEnoughData` below 20 rows.

    Notes
    -----
    All missing: the reference misses less than half and the worst of its windows would be all missing with
    probability below 1e-6. Constant: likewise with the share of the most frequent value. Unusual: over 30 % of the
    rows, and three times as many as any window of the reference; of numbers at most half of what is left above it,
    where that is less than half.

    Examples
    --------
    >>> from gyroscope.stats.profiles import fit_layout, profile
    >>> from gyroscope.stats.quality.limits import learn_limits
    >>> days = [{"age": np.arange(100.0)}, {"age": np.arange(100.0)}]
    >>> layout = fit_layout(days[0])
    >>> limits = learn_limits([profile(day, layout) for day in days])
    >>> [found.reason for found in hard_rules(limits, profile({"age": np.full(50, np.nan)}, layout))]
    ['all 50 rows are missing; of the reference 0 %']
    >>> [found.reason for found in hard_rules(limits, profile({"age": np.full(50, 7.0)}, layout))]
    ['all 50 values are equal (7)']
    """
    if current.n < LEAST_ROWS:
        return NotEnoughData(f"{current.n} rows; hard rules need {LEAST_ROWS}")
    doubtful = [name for name in _doubtful(table_of(current.columns)) if name in limits]
    checks = (_column_finding(name, limits[name], current.columns[name]) for name in doubtful)
    return [found for found in checks if found]


def refused_column(columns: Sequence[str], complaints: Mapping[str, int]) -> Finding | None:
    """The column because of which rows were refused, from what was said to whoever sent them.

    Parameters
    ----------
    columns : sequence of str
        Those that are expected.
    complaints : mapping of str to int
        The words of refusals, and how often each was said. One is about the expected column that it names first, else
        about the first name in quotation marks.

    Returns
    -------
    Finding or None
        Absent, or of another type or name; None where no column is named in half of the complaints or more.

    Examples
    --------
    >>> found = refused_column(["age"], {"data[3]: 'age' must be a number": 9, "there are no rows": 2})
    >>> found.column, found.kind.value, found.reason
    ('age', 'type_changed', "most refusals say: data[3]: 'age' must be a number")
    >>> refused_column(["age", "plan"], {"inputs[0]: missing 'plan'": 9}).kind.value
    'absent'
    """
    named: dict[str, dict[str, int]] = {}
    for words, count in complaints.items():
        for name in _mentioned(words, columns):
            named.setdefault(name, {})[words] = count
    total = sum(complaints.values())
    column = max(named, key=lambda name: sum(named[name].values()), default="")
    said = named.get(column, {})
    if not said or 2 * sum(said.values()) < total:
        return None
    words = max(said, key=said.__getitem__)
    kind = FindingKind.ABSENT if f"missing '{column}'" in words else FindingKind.TYPE_CHANGED
    return Finding(kind, column, f"most refusals say: {words}", {"share": sum(said.values()) / total})


def future_time(rows: int) -> Finding | None:
    """Whether rows are stamped later than they came; clocks may differ by five minutes.

    Parameters
    ----------
    rows : int
        Stamped more than `FUTURE_US` after their arrival; below 0 where such rows were erased.

    Examples
    --------
    >>> future_time(3).reason
    '3 rows are stamped over 5 minutes later than they came'
    >>> future_time(0) is None
    True
    """
    if rows <= 0:
        return None
    minutes = FUTURE_US // 60_000_000
    reason = f"{rows:,} rows are stamped over {minutes} minutes later than they came"
    return Finding(FindingKind.FUTURE_TIME, "", reason, {"rows": float(rows)})


def no_rows(expected: float, dispersion: float) -> Finding | None:
    """Whether a complete window without any row is breakage and not a quiet hour.

    Parameters
    ----------
    expected : float
        Rows expected, above 0, for instance from `stats.seasonal`.
    dispersion : float
        Variance over mean of such counts, at least 1.

    Returns
    -------
    Finding or None
        A finding when the probability of 0 is below 1e-6.

    Notes
    -----
    The negative binomial with mean m and variance phi m is 0 with probability phi**(-m / (phi - 1)); Poisson exp(-m).

    Examples
    --------
    >>> no_rows(expected=5.0, dispersion=1.0) is None
    True
    >>> no_rows(expected=100.0, dispersion=2.0).reason
    'no row came where 100 were expected'
    """
    excess = max(dispersion, 1.0) - 1.0
    # log1p(x) / x tends to 1 with x: the Poisson limit needs no case of its own above rounding.
    decay = float(np.log1p(excess) / excess) if excess > 1e-9 else 1.0
    if expected * decay <= -np.log(SURE):
        return None
    reason = f"no row came where {expected:.3g} were expected"
    return Finding(FindingKind.NO_ROWS, "", reason, {"expected": expected, "dispersion": dispersion})


def stale(last_end_us: int, now_us: int, interval_us: int) -> Finding | None:
    """Whether nothing has come for three windows.

    Parameters
    ----------
    last_end_us, now_us, interval_us : int
        End of the last window that had rows, now, and the length of a window; microseconds.

    Examples
    --------
    >>> hour = 3_600_000_000
    >>> stale(0, 2 * hour, hour) is None, stale(0, 4 * hour, hour).reason
    (True, 'the last are 4.0 windows old')
    """
    age = (now_us - last_end_us) / interval_us
    if age <= STALE_INTERVALS:
        return None
    figures = {"age_s": (now_us - last_end_us) / 1e6, "windows": age}
    return Finding(FindingKind.STALE, "", f"the last are {age:.1f} windows old", figures)


def _mentioned(words: str, columns: Sequence[str]) -> list[str]:
    """At most one name. What is quoted after an expected column is a value of it, or the name that was meant."""
    quoted = _QUOTED.findall(words)[:1]
    if quoted and quoted[0] in columns:
        return quoted
    before = _WORD.findall(words.partition("'")[0])
    return [name for name in columns if name in before][:1] or quoted


def _doubtful(table: Table) -> list[str]:
    """Those columns that a rule may flag: nearly none of a window's, found in one go."""
    if not table.names:
        return []
    counts, infinite, missing = table.counts, table.nan_or_inf, table.missing
    present = np.add.reduceat(counts, table.starts)
    n = present + infinite + missing
    is_text = np.array([isinstance(bins, CategoryBins) for bins in table.bins], np.bool_)
    unusual = counts[table.ends - 1] + np.where(is_text, 0, counts[table.starts] + infinite)
    is_one = np.array(table.least) == np.array(table.greatest)
    is_alike = np.where(is_text, np.maximum.reduceat(counts, table.starts) >= present, is_one)
    places = np.flatnonzero((missing == n) | is_alike | (unusual >= UNUSUAL_SHARE * n))
    return [table.names[at] for at in places.tolist()]


def _column_finding(name: str, limits: ColumnLimits, column: ColumnCounts) -> Finding | None:
    return next(_findings(name, limits, column), None)


def _findings(name: str, limits: ColumnLimits, column: ColumnCounts) -> Iterator[Finding]:
    """Gravest first."""
    if column.missing == column.n and limits.missing < 0.5 and _is_sure(limits.most_missing, column.n):
        reason = f"all {column.n:,} rows are missing; of the reference {limits.missing:.0%}".replace("%", " %")
        yield Finding(FindingKind.ALL_MISSING, name, reason, {"rows": column.n, "reference_share": limits.missing})
    if column.values >= LEAST_ROWS and is_constant(column) and _is_sure(limits.most_alike, column.values):
        reason = f"all {column.values:,} values are equal ({_the_value(column)})"
        yield Finding(FindingKind.CONSTANT, name, reason, {"rows": column.values, "reference_most": limits.most_alike})
    share = unusual_share(column)
    if share > UNUSUAL_SHARE and share > _most_unusual(limits, column):
        what = "are new or infinite" if not _is_numeric(column) else "are out of range or infinite"
        reason = f"{100 * share:.0f} % of the rows {what}; in the reference's windows {100 * limits.most_unusual:.0f} %"
        yield Finding(FindingKind.UNUSUAL, name, reason, {"share": share, "reference_most": limits.most_unusual})


def _most_unusual(limits: ColumnLimits, column: ColumnCounts) -> float:
    """The share that is not surely more than in the reference.

    Of numbers half of what is left above its worst window is enough: where that has a third, three times as many would
    be more than all. Not where it has half of them, as of a counter, nor of texts, of which new ones come with time.
    """
    most = limits.most_unusual
    return min(UNUSUAL_TIMES * most, (1 + most) / 2) if _is_numeric(column) and most < 0.5 else UNUSUAL_TIMES * most


def is_constant(column: ColumnCounts) -> bool:
    """Whether all values of a column are equal, as far as its counts can tell; a column without values is not.

    Examples
    --------
    >>> from gyroscope.stats.profiles import fit_layout, profile
    >>> layout = fit_layout({"x": np.array([0.0, 1.0])})
    >>> is_constant(profile({"x": np.array([3.0, 3.0])}, layout).columns["x"])
    True
    """
    if not column.values:
        return False
    if _is_numeric(column):
        return column.least == column.greatest
    return bool(column.counts[:-2].max(initial=0) == column.values)


def _is_sure(share: float, rows: int) -> bool:
    return bool(xlogy(rows, share) < np.log(SURE))


def _is_numeric(column: ColumnCounts) -> bool:
    return not isinstance(column.bins, CategoryBins)


def _the_value(column: ColumnCounts) -> str:
    return f"{column.least:g}" if _is_numeric(column) else column.bins.labels[int(column.counts.argmax())]
