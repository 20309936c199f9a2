"""Which finding is the cause of which: one broken column and the forty that were computed from it are one incident.

Monitoring orders findings by this before they become causes. It opens no incident.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from gyroscope.stats.arrays import Floats
from gyroscope.stats.quality.finding import Finding

Lineage = Mapping[str, Sequence[str]]
"""Column -> the columns that are computed from it."""

LEAST_CORRELATION = 0.8
_LEAST_WINDOWS = 14


def roots_first(findings: Sequence[Finding], lineage: Lineage) -> list[Finding]:
    """Findings of one window, causes before what they cause.

    Parameters
    ----------
    findings : sequence of Finding
    lineage : mapping of str to sequence of str
        Empty when nobody said what is computed from what.

    Returns
    -------
    list of Finding
        Those that come from no other column found first, those with most columns below them before the rest; then the
        gravest kind; then the greatest share of rows; then as they came.

    Examples
    --------
    >>> from gyroscope.stats.quality.finding import FindingKind
    >>> found = [Finding(FindingKind.ALL_MISSING, name, "") for name in ("age_squared", "age")]
    >>> [one.column for one in roots_first(found, {"age": ["age_squared"]})]
    ['age', 'age_squared']
    """
    columns = {one.column for one in findings}
    below = {name: derived_from(name, lineage) for name in columns}
    above = {name: sum(name in below[other] for other in columns) for name in columns}

    def order(one: Finding) -> tuple[float, ...]:
        share = one.figures.get("share", one.figures.get("elsewhere_before", 1.0))
        return (above[one.column], -len(below[one.column] & columns), one.kind.rank, -share)

    return sorted(findings, key=order)


def causes_only(findings: Sequence[Finding], lineage: Lineage) -> list[Finding]:
    """Findings of one window without those on columns that are computed from another column found.

    Parameters
    ----------
    findings : sequence of Finding
    lineage : mapping of str to sequence of str

    Returns
    -------
    list of Finding
        As `roots_first` orders them; one that explains others says in its figure `explains` how many columns.

    Examples
    --------
    >>> from gyroscope.stats.quality.finding import FindingKind
    >>> found = [Finding(FindingKind.ALL_MISSING, name, "") for name in ("age_squared", "age")]
    >>> [(one.column, one.figures) for one in causes_only(found, {"age": ["age_squared"]})]
    [('age', {'explains': 1})]
    """
    columns = {one.column for one in findings}
    below = {name: derived_from(name, lineage) & columns - {name} for name in columns}
    # In a circle everything comes from everything: then nobody is left out.
    explained = {name for name in columns for other in columns if name in below[other] and other not in below[name]}
    return [
        msgspec.structs.replace(one, figures={**one.figures, "explains": len(below[one.column])})
        if below[one.column]
        else one
        for one in roots_first(findings, lineage)
        if one.column not in explained
    ]


def derived_from(column: str, lineage: Lineage) -> set[str]:
    """Every column that is computed from one, directly or not; a circle ends where it began.

    Examples
    --------
    >>> sorted(derived_from("a", {"a": ["b"], "b": ["c", "a"]}))
    ['b', 'c']
    """
    found: set[str] = set()
    ahead = list(lineage.get(column, ()))
    while ahead:
        name = ahead.pop()
        if name not in found and name != column:
            found.add(name)
            ahead += lineage.get(name, ())
    return found


def followers(names: Sequence[str], scores: Floats) -> dict[str, list[str]]:
    """What is probably computed from what, from how columns move together in normal windows.

    Parameters
    ----------
    names : sequence of str, length C
    scores : float64 array, shape (C, D)
        One value per column and window, for instance its location; NaN where there is none.

    Returns
    -------
    dict of str to list of str
        Column -> the columns that correlate with it beyond 0.8 and follow the others less closely than it does: of a
        source and what is computed from it with noise of its own, the source is in the middle.

    Notes
    -----
    Under one common factor the correlations of a column are its loading times those of the others (Spearman 1904, Am.
    J. Psychol. 15, 201): the factor itself has the greatest.

    Examples
    --------
    >>> day, noise = np.sin(np.arange(30.0)), np.cos(np.arange(30.0) * 2.3)
    >>> followers(["twice", "half", "source"], np.stack([2 * day + 0.5 * noise, day - 0.4 * noise, day]))
    {'twice': ['half'], 'source': ['twice', 'half']}
    """
    y = np.asarray(scores, np.float64)
    known = np.isfinite(y)
    enough = known.sum(axis=1) >= _LEAST_WINDOWS
    center = np.where(known, y, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    off = np.where(known, y - center[:, np.newaxis], 0.0)
    size = np.sqrt((off * off).sum(axis=1))
    off = off / np.where(enough & (size > 0), size, np.inf)[:, np.newaxis]
    alike = np.abs(off @ off.T)
    np.fill_diagonal(alike, 0.0)
    middle = alike.sum(axis=1)
    below = (alike > LEAST_CORRELATION) & (middle[:, np.newaxis] > middle[np.newaxis, :])
    sources = np.flatnonzero(below.any(axis=1)).tolist()
    return {names[row]: [names[k] for k in np.flatnonzero(below[row]).tolist()] for row in sources}
