"""Streams: one number per window each, with the variance that the window's own rows explain.

Columns, performance and data quality make these; the engine reads them. An absent window is NaN here and nowhere else.
"""

from __future__ import annotations

import msgspec
import numpy as np

from gyroscope.stats.arrays import Floats, Ints

_TOO_LARGE, _TOO_SMALL = 1e100, 1e-100


class Streams(msgspec.Struct, frozen=True, eq=False):
    """S streams over T windows in order of time.

    Attributes
    ----------
    names : tuple of str, length S
        Such as "age:location".
    y : float array, shape (S, T)
        NaN where a window has no value.
    within : float array, shape (S, T)
        Variance of y that the rows of its window explain, s2 / n, above 0.
    sides : int array, shape (S,)
        1: harm is up; -1: harm is down; 0: either.
    weights : float array, shape (S,)
        What share of the evidence a stream may claim, relative to the others.
    tolerances : float array, shape (S,)
        A shift that is of no interest, in standard deviations of a normal window.

    Examples
    --------
    >>> day = stream("x:missing", [0.1, 0.3], [0.01, 0.01]).join(stream("loss", [1.0, np.nan], [0.2, 0.2], side=1))
    >>> day.names, day.y.shape, day.select(("loss", "other")).y.tolist()
    (('x:missing', 'loss'), (2, 2), [[1.0, nan], [nan, nan]])
    """

    names: tuple[str, ...]
    y: Floats
    within: Floats
    sides: Ints
    weights: Floats
    tolerances: Floats

    @property
    def windows(self) -> int:
        """T."""
        return int(self.y.shape[1])

    @property
    def present(self) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """Where a window has a value that can be judged, shape (S, T)."""
        # Comparisons with NaN are false. Beyond these sizes squares overflow.
        known_within = (self.within > _TOO_SMALL) & (self.within < _TOO_LARGE)
        return known_within & (np.abs(self.y) < _TOO_LARGE)

    def join(self, *others: Streams) -> Streams:
        """These and the others, one under another; all over the same windows."""
        every = (self, *others)
        return Streams(
            names=tuple(name for table in every for name in table.names),
            y=np.concatenate([table.y for table in every]),
            within=np.concatenate([table.within for table in every]),
            sides=np.concatenate([table.sides for table in every]),
            weights=np.concatenate([table.weights for table in every]),
            tolerances=np.concatenate([table.tolerances for table in every]),
        )

    def select(self, names: tuple[str, ...]) -> Streams:
        """The named streams in this order; one that is not here is absent in every window."""
        if names == self.names:
            return self
        places = {name: place for place, name in enumerate(self.names)}
        rows = np.array([places.get(name, -1) for name in names], np.int64)
        is_here = rows >= 0

        def pick(values: Floats, absent: float) -> Floats:
            found = np.full((len(names), *values.shape[1:]), absent, values.dtype)
            found[is_here] = values[rows[is_here]]
            return found

        return Streams(
            names,
            pick(self.y, np.nan),
            pick(self.within, np.nan),
            pick(self.sides.astype(np.float64), 0).astype(np.int64),
            pick(self.weights, 1.0),
            pick(self.tolerances, 0.0),
        )


def stream(
    name: str,
    y: Floats | list[float],
    within: Floats | list[float],
    *,
    side: int = 0,
    weight: float = 1.0,
    tolerance: float = 0.0,
) -> Streams:
    """A table of one stream.

    Parameters
    ----------
    name : str
    y, within : float array, shape (T,)
        See `Streams`.
    side : int
        1, -1 or 0.
    weight, tolerance : float

    Returns
    -------
    Streams

    Examples
    --------
    >>> stream("loss", [0.1, 0.2], [0.01, 0.01], side=1).windows
    2
    """
    return Streams(
        (name,),
        np.asarray(y, np.float64)[np.newaxis],
        np.asarray(within, np.float64)[np.newaxis],
        np.array([side], np.int64),
        np.array([weight], np.float64),
        np.array([tolerance], np.float64),
    )
