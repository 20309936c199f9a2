"""The windows with which a change may have begun, and the e-values of those that say anything.

The detector asks for them window after window. Nearly all e-values of normal windows are next to nothing: what they
are is found in a few operations, and only the others are worked out. It knows of no budget and of no alarm.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gyroscope.stats.arrays import Floats, Ints
from gyroscope.stats.evidence.baselines import Baselines
from gyroscope.stats.evidence.eprocess import Sums, e_values

STARTS = 64
"""Candidate starts that are kept, the latest ones; dropping evidence can only make alarms rarer."""

_TOGETHER = 1 << 16  # streams times candidates that are looked at together: a core keeps such arrays near
_ROUNDED = 0.999  # what is left out is below by more than rounding could explain


class Told(NamedTuple):
    """The candidates of windows from `first` on that say anything: e-values (N,), their starts, and places in `rows`.

    `rows` are the streams of each window, one window after the other. Those of the k-th window lie between
    `row_ends[k]` and `row_ends[k + 1]`, its e-values between `ends[k]` and `ends[k + 1]`.
    """

    first: int
    row_ends: list[int]
    ends: list[int]
    rows: Ints
    places: Ints
    starts: Ints
    e: Floats


class Candidates:
    """The e-values of S streams over T windows; those that are surely below `least`, above 1, count as 0.

    Parameters
    ----------
    baselines : Baselines
    before : Sums
        Of the windows before each one, arrays of shape (T + 1, S).
    least : float

    Examples
    --------
    >>> from gyroscope.stats.evidence import fit_baselines, stream
    >>> normal = fit_baselines(stream("loss", np.tile([0.9, 1.0, 1.1, 1.0], 10), np.full(40, 0.01), side=1))
    >>> scores = np.array([[0.0], [3.0], [3.0]])
    >>> before = Sums(*(np.cumsum([[0.0], *part], axis=0) for part in (scores**0, scores**0, scores, scores**2)))
    >>> rows, e = Candidates(normal, before, least=4.0).of(2)
    >>> rows.tolist(), e.round(1).tolist()
    ([0], [[43.7, 452.6, 18.4]])
    """

    def __init__(self, baselines: Baselines, before: Sums, least: float) -> None:
        self._reference, self._before, self._least = baselines.sums(), before, least
        self._sides, self._tolerances = baselines.sides, baselines.tolerances
        self._windows, self._streams = before.count.shape[0] - 1, before.count.shape[1]
        self._bounds = self._least_squares()
        self._told = self._look(0, 0)

    def of(self, window: int) -> tuple[Ints, Floats]:
        """The streams that have anything to say with a window, in order, and their e-values by candidate, (R, J)."""
        place = window - self._told.first
        if not 0 <= place < len(self._told.ends) - 1:
            self._told, place = self._look(window, self._windows), 0
        told = self._told
        first, last = told.row_ends[place : place + 2]
        here, since = slice(*told.ends[place : place + 2]), candidates(window).start
        found = np.zeros((last - first, _size(window)))
        found[told.places[here] - first, told.starts[here] - since] = told.e[here]
        return told.rows[first:last], found

    def _least_squares(self) -> Floats:
        """What (total - weight * mean of the reference)^2 of an e-value of `least` is at the least, (STARTS, S).

        By number of windows, for a weight of 1 that is small beside the reference's: by the bound of `e_values`, with
        the current windows' own spread left out.
        """
        log_least = np.log(self._least) - np.where(self._sides != 0, np.log(2.0), 0.0)
        degrees = self._reference.count[:, 0] + np.arange(STARTS)[:, np.newaxis]
        bounds: Floats = _ROUNDED * 2 * log_least * self._reference.spread[:, 0] / degrees
        return bounds

    def _look(self, first: int, end: int) -> Told:
        """At the candidates of a window and of as many later ones, before `end`, as are best looked at together."""
        sizes = [_size(first)] if first < end else []
        while first + len(sizes) < end and sum(sizes) * self._streams < _TOGETHER:
            sizes.append(_size(first + len(sizes)))
        windows = np.arange(first, first + len(sizes) + 1)
        last = np.repeat(windows[:-1], sizes)
        starts = last - np.concatenate([np.empty(0, np.int64), *(np.arange(size)[::-1] for size in sizes)])
        place, streams = np.nonzero(self._may_say(last, starts))
        last, starts = last[place], starts[place]
        e = self._e_values(last, starts, streams)
        says = e > 0
        last, starts, streams, e = last[says], starts[says], streams[says], e[says]
        keys, places = np.unique(last * self._streams + streams, return_inverse=True)
        row_ends = np.searchsorted(keys, windows * self._streams).tolist()
        ends = np.searchsorted(last, windows).tolist()
        return Told(first, row_ends, ends, keys % max(self._streams, 1), places, starts, e)

    def _may_say(self, last: Ints, starts: Ints) -> NDArray[np.bool_]:
        """Which of the candidates may have an e-value of `least`, (J, S)."""
        weight, total = self._before.weight, self._before.total
        w, x = weight[last + 1] - weight[starts], total[last + 1] - total[starts]
        x -= w * self._reference.mean[:, 0]
        x *= x
        w += w * w / self._reference.weight[:, 0]
        w *= self._bounds[last - starts]
        return x > w

    def _e_values(self, last: Ints, starts: Ints, streams: Ints) -> Floats:
        """Of some candidates, (N,)."""
        since = Sums(*((part[last + 1, streams] - part[starts, streams])[:, np.newaxis] for part in self._before.parts))
        reference = Sums(*(part[streams] for part in self._reference.parts))
        return e_values(reference, since, self._sides[streams], self._tolerances[streams], self._least)[:, 0]


def candidates(window: int) -> slice:
    """With which windows a change may have begun that is seen in this one.

    >>> candidates(2), candidates(70)
    (slice(0, 3, None), slice(7, 71, None))
    """
    return slice(max(0, window - STARTS + 1), window + 1)


def _size(window: int) -> int:
    return min(window + 1, STARTS)
