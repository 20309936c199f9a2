"""The library without a server: profile a table of any common kind, compare two, see the result in a notebook.

`import gyroscope` offers `profile` and `compare` from here. `sources/` reads and counts, `reports/` shows.
Nothing is kept, sent or logged.
"""

from __future__ import annotations

from typing import Any

from gyroscope.reports.comparison import Comparison, compare_profiles
from gyroscope.sources import open_table, profile_table
from gyroscope.sources.profiling import Engine
from gyroscope.stats.profiles import Layout, Profile

__all__ = ["Comparison", "Profile", "compare", "profile"]


def profile(data: Any, reference: Profile | Layout | None = None, engine: Engine = "local") -> Profile:
    """Count a table, once and for all: what `compare` needs, and nothing that could be traced to a row.

    Parameters
    ----------
    data : path, mapping of str to array, pandas or Polars frame, or anything with Arrow columns
        A path names a Parquet, CSV or Arrow file, a Delta table, or a folder of Parquet files. It is read in blocks:
        memory does not grow with the rows. Dates become numbers (microseconds since 1970).
    reference : Profile or Layout, optional
        Whose bins to count on; without it bins are fitted to `data`, which then is a reference itself: to all of its
        rows, or to 131,072 of them when there are more. Columns of lists or records are left out.
    engine : "local" or "ray"
        Who counts: this process on two threads, or a Ray cluster (extra `ray`), one task per file of a folder; the
        result is the same, bit for bit.

    Returns
    -------
    Profile
        Its `columns` hold counts, `mean`, `quantile(q)`, `min` and `max`.

    Raises
    ------
    InputError
        When the data is of an unknown kind, a file cannot be read, or no column holds numbers or text.

    Examples
    --------
    >>> import numpy as np
    >>> ages = profile({"age": np.array([31.0, 45.0, np.nan, 27.0])})
    >>> ages.n, ages.columns["age"].missing, round(ages.columns["age"].mean, 2)
    (4, 1, 34.33)
    """
    return profile_table(open_table(data), _layout(reference), engine).profile


def compare(reference: Any, current: Any) -> Comparison:
    """How far the current data has moved from the reference, column by column, as effect sizes with intervals.

    Parameters
    ----------
    reference, current : Profile, or whatever `profile` takes
        A current profile must have been counted on the reference's bins.

    Returns
    -------
    Comparison
        Shown as a table in a notebook; `.figure(column)` draws, `.to_html(path)` writes a report.

    Raises
    ------
    InputError
        As `profile`.

    Examples
    --------
    >>> import numpy as np
    >>> before, after = {"x": np.repeat([0.0, 1.0], [500, 500])}, {"x": np.repeat([0.0, 1.0], [300, 700])}
    >>> moved = compare(before, after)
    >>> round(moved["x"].effect.effect, 2), moved["x"].reference.missing_share
    (0.4, 0.0)
    """
    before = reference if isinstance(reference, Profile) else profile(reference)
    if isinstance(current, Profile):
        return compare_profiles(before, current)
    found = profile_table(open_table(current), before.layout)
    added = tuple(name for name in found.names if name not in before.columns)
    gone = {name: "the current data has no such column" for name in before.columns if name not in found.names}
    gone |= {name: f"it holds {holds} now" for name, holds in found.unreadable.items() if name in before.columns}
    return compare_profiles(before, found.profile, added, gone)


def _layout(reference: Profile | Layout | None) -> Layout | None:
    return reference.layout if isinstance(reference, Profile) else reference
