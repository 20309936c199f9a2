"""From profiles to streams: all columns of all windows at once.

Monitoring fits a scale once per reference and asks it for every new window; the notebook does both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from gyroscope.stats.arrays import Floats, Ints
from gyroscope.stats.evidence.streams import Streams
from gyroscope.stats.profiles.late import Table, table_of
from gyroscope.stats.profiles.layout import Bins, CategoryBins, NumericBins
from gyroscope.stats.profiles.profile import Profile
from gyroscope.stats.streams import categorical, numeric
from gyroscope.stats.streams.categorical import CategoricalScale
from gyroscope.stats.streams.cells import Cells
from gyroscope.stats.streams.numeric import NumericScale


class ColumnScale(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """What later windows of these columns are compared with; `reference` are the streams of the reference windows.

    Examples
    --------
    >>> from gyroscope.stats.profiles import fit_layout, profile
    >>> days = [{"x": np.arange(100.0) + day % 3} for day in range(20)]
    >>> layout = fit_layout({"x": np.concatenate([day["x"] for day in days])})
    >>> scale = fit_columns([profile(day, layout) for day in days])
    >>> scale.reference.names
    ('x:location', 'x:scale', 'x:below', 'x:above', 'x:missing')
    >>> scale.streams([profile({"x": np.arange(100.0) + 50}, layout)]).y[0].round(1).tolist()
    [1.6]
    """

    numbers: tuple[str, ...]
    texts: tuple[str, ...]
    number_scale: NumericScale
    text_scale: CategoricalScale
    rows: Ints
    reference: Streams

    def streams(self, current: Sequence[Profile]) -> Streams:
        """The same streams of later windows, in order of time; a window of no rows has no value.

        Parameters
        ----------
        current : sequence of Profile, length T
            Counted on the layout of the reference.
        """
        cells = _cells(self.numbers, current, self.number_scale.places.shape[1], _TAIL_NUMBERS)
        numbers = self.number_scale.streams(cells, cells.counts[:, :, 0], cells.counts[:, :, -1])
        texts = self.text_scale.streams(_cells(self.texts, current, self.text_scale.total.shape[1], _TAIL_TEXTS))
        return _filled(self.reference, self.rows, numbers, texts)


def fit_columns(
    reference: Sequence[Profile],
    *,
    columns: Sequence[str] | None = None,
    importance: Mapping[str, float] | None = None,
) -> ColumnScale:
    """Learn the scale of each column from the reference windows.

    Parameters
    ----------
    reference : sequence of Profile, length D
        Windows in order of time, counted on one layout.
    columns : sequence of str, optional
        Which ones; all of them without.
    importance : mapping of str to float, optional
        How much the model listens to a column. Half of the weight is shared equally, half by this.

    Returns
    -------
    ColumnScale
        Streams "x:location", "x:scale", "x:below", "x:above", "x:missing" of numbers; "city:omnibus", "city=JFK" and
        up to seven more, "city:other", "city:new", "city:missing" of strings.

    Notes
    -----
    Where a distance to the reference is taken, a reference window is compared with the others: compared with itself it
    is too near, and every later window looks far. The range of the others is known only by its ends: a window that
    alone held the least value is counted as having had one row below.

    Examples
    --------
    >>> from gyroscope.stats.profiles import fit_layout, profile
    >>> day = {"city": np.array(["JFK"] * 6 + ["LGA"] * 4, dtype=object)}
    >>> fit_columns([profile(day, fit_layout(day))] * 14).reference.names
    ('city:omnibus', 'city=JFK', 'city=LGA', 'city:other', 'city:new', 'city:missing')
    """
    layout = reference[0].layout.columns if reference else {}
    kept = {name: bins for name, bins in layout.items() if columns is None or name in columns}
    numbers = tuple(name for name, bins in kept.items() if isinstance(bins, NumericBins))
    texts = tuple(name for name, bins in kept.items() if isinstance(bins, CategoryBins))
    # A column whose reference had no value has one cell for any value: it lies between nothing below and above.
    number_cells = _cells(numbers, reference, max([3, *(len(kept[name].labels) for name in numbers)]), _TAIL_NUMBERS)
    text_cells = _cells(texts, reference, max([3, *(len(kept[name].labels) for name in texts)]), _TAIL_TEXTS)
    below, above = _alone_at_the_ends(numbers, reference)
    scale = NumericScale.fit(number_cells)
    has_rare = np.array([_has_rare(kept[name]) for name in texts], np.bool_)
    has_rare |= (text_cells.counts[:, :, -1] > 0).any(axis=1)
    text_scale = CategoricalScale.fit(text_cells, has_rare)
    at_ends = np.maximum(number_cells.counts[:, :, 0], below), np.maximum(number_cells.counts[:, :, -1], above)
    head, rows = _head(numbers, dict(zip(texts, has_rare, strict=True)), kept, importance or {})
    return ColumnScale(
        numbers=numbers,
        texts=texts,
        number_scale=scale,
        text_scale=text_scale,
        rows=rows,
        reference=_filled(
            head, rows, scale.streams(number_cells, *at_ends), text_scale.streams(text_cells, is_reference=True)
        ),
    )


def column_streams(reference: Sequence[Profile], current: Sequence[Profile]) -> tuple[Streams, Streams]:
    """The streams of reference windows and of later ones, for a look at two sets of profiles.

    Examples
    --------
    >>> from gyroscope.stats.profiles import fit_layout, profile
    >>> day = {"x": np.arange(100.0)}
    >>> before, after = column_streams([profile(day, fit_layout(day))] * 14, [profile(day, fit_layout(day))])
    >>> before.windows, after.windows, before.names == after.names
    (14, 1, True)
    """
    scale = fit_columns(reference)
    return scale.reference, scale.streams(current)


_TAIL_NUMBERS, _TAIL_TEXTS = 1, 2  # cells that stand at the end whatever the number of bins: above; other and new


def _has_rare(bins: Bins) -> bool:
    return isinstance(bins, CategoryBins) and bool(bins.rare)


def _cells(names: Sequence[str], windows: Sequence[Profile], width: int, tail: int) -> Cells:
    counts = np.zeros((len(names), len(windows), width))
    missing = np.zeros((len(names), len(windows)))
    before: Table | None = None
    for window, profile in enumerate(windows):
        table = table_of(profile.columns)
        if before is None or (table.names, table.bins) != (before.names, before.bins):
            before, places = table, _places(table, names, width, tail)
        counts[places.rows, window, places.cells] = table.counts[places.counts]
        for row, some in places.short:
            counts[row, window, 1] = table.counts[some].sum()
        missing[places.here, window] = (table.missing + table.nan_or_inf)[places.columns]
    return Cells(counts, missing)


class _Places(NamedTuple):
    """Where the counts of a table go: `rows` and `cells` of each, of `short` columns all into one cell.

    `here` are the rows of the columns that the table has, `columns` their places in it.
    """

    rows: Ints
    cells: Ints
    counts: Ints
    short: list[tuple[int, slice]]
    here: list[int]
    columns: list[int]


def _places(table: Table, names: Sequence[str], width: int, tail: int) -> _Places:
    at = {name: place for place, name in enumerate(table.names)}
    here = [row for row, name in enumerate(names) if name in at]
    columns = [at[names[row]] for row in here]
    rows, cells, counts = list[Ints](), list[Ints](), list[Ints]()
    short: list[tuple[int, slice]] = []
    for row, column in zip(here, columns, strict=True):
        start, end = int(table.starts[column]), int(table.ends[column])
        if end - start <= tail:
            short.append((row, slice(start, end)))
            continue
        rows.append(np.full(end - start, row))
        cells.append(np.append(np.arange(end - start - tail), np.arange(width - tail, width)))
        counts.append(np.arange(start, end))
    return _Places(_joined(rows), _joined(cells), _joined(counts), short, here, columns)


def _joined(parts: list[Ints]) -> Ints:
    return np.concatenate([np.empty(0, np.int64), *parts])


def _alone_at_the_ends(names: Sequence[str], windows: Sequence[Profile]) -> tuple[Floats, Floats]:
    """1 for the window that alone reaches the least (greatest) value of all, else 0; (C, D) each."""
    shape = len(names), len(windows)
    least = np.array([[profile.columns[name].least for profile in windows] for name in names]).reshape(shape)
    greatest = np.array([[profile.columns[name].greatest for profile in windows] for name in names]).reshape(shape)
    return _is_alone(least), _is_alone(-greatest)


def _is_alone(values: Floats) -> Floats:
    if not values.size:
        return values
    is_least = values == values.min(axis=1, keepdims=True)
    alone: Floats = (is_least & (is_least.sum(axis=1, keepdims=True) == 1)).astype(np.float64)
    return alone


def _head(
    numbers: Sequence[str], texts: Mapping[str, bool], layout: Mapping[str, Bins], importance: Mapping[str, float]
) -> tuple[Streams, Ints]:
    """Names, sides and weights of the streams there are, and their rows among those that the scales give."""
    names: list[str | None] = [f"{name}:{kind}" for name in numbers for kind in numeric.KINDS]
    for name, has_rare in texts.items():
        bins = layout[name]
        frequent = bins.categories[: categorical.FREQUENT] if isinstance(bins, CategoryBins) else ()
        names += [f"{name}:omnibus", *(f"{name}={category}" for category in frequent)]
        names += [None] * (categorical.FREQUENT - len(frequent))
        names += [f"{name}:other", None if has_rare else f"{name}:new", f"{name}:missing"]
    is_there = np.array([name is not None for name in names], np.bool_)
    kinds = [numeric.WEIGHTS] * len(numbers) + [categorical.WEIGHTS] * len(texts)
    column = np.repeat(np.arange(len(kinds)), [len(kind) for kind in kinds])
    weights = np.array([weight for kind in kinds for weight in kind]) * is_there
    # A column with few streams gives them its whole share.
    weights *= (_column_shares([*numbers, *texts], importance) / np.bincount(column, weights))[column]
    sides = np.array([*numeric.SIDES * len(numbers), *categorical.SIDES * len(texts)], np.int64)
    rows = np.flatnonzero(is_there)
    nothing = np.empty((len(rows), 0))
    known = tuple(name for name in names if name is not None)
    return Streams(known, nothing, nothing, sides[rows], weights[rows], np.zeros(len(rows))), rows


def _column_shares(names: Sequence[str], importance: Mapping[str, float]) -> Floats:
    heard = np.array([max(importance.get(name, 0.0), 0.0) for name in names])
    equal = np.full(len(names), 1 / max(len(names), 1))
    return (equal + heard / heard.sum()) / 2 if heard.sum() > 0 else equal


def _filled(head: Streams, rows: Ints, numbers: tuple[Floats, Floats], texts: tuple[Floats, Floats]) -> Streams:
    y, within = (
        np.concatenate([kind.reshape(kind.shape[0] * kind.shape[1], kind.shape[2]) for kind in kinds])[rows]
        for kinds in zip(numbers, texts, strict=True)
    )
    return msgspec.structs.replace(head, y=y, within=within)
