"""Whether what an alarm found is large enough to matter: the gate between a reading and an incident.

Monitoring asks it of every alarm of performance. It can only make incidents rarer, never an alarm.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gyroscope.records import NotEnoughData
from gyroscope.stats.arrays import Floats
from gyroscope.stats.intervals import Z_95

if TYPE_CHECKING:
    from gyroscope.stats.evidence import Alarm, Baselines, Streams

LEAST_SHARE = 0.25
"""Of the standard deviation between normal windows: a change smaller than that is within what windows do anyway."""


def matters_at(
    alarm: Alarm, current: Streams, baselines: Baselines, least: float = 0.0, least_share: float = LEAST_SHARE
) -> int | NotEnoughData:
    """The first window, from the alarm's on and while it is open, at which its change is surely large enough.

    Parameters
    ----------
    alarm : Alarm
    current : Streams
        The windows that were judged.
    baselines : Baselines
    least : float
        What the user tolerates, in the unit of the stream.
    least_share : float
        Of the standard deviation between the reference's windows.

    Returns
    -------
    int or NotEnoughData
        At this window the alarm becomes an incident; until then it is a reading.

    Notes
    -----
    The change is the mean of the windows since it began, weighted by what they know, less that of the reference; its
    95 % limit counts windows, not rows, and widens with the memory between them. Of several members one is enough.

    Examples
    --------
    >>> from gyroscope.stats.evidence import Family, fit_baselines, replay, stream
    >>> normal = fit_baselines(stream("loss", np.tile([0.9, 1.0, 1.1, 1.0], 10), np.full(40, 0.01), side=1))
    >>> later = stream("loss", np.r_[np.tile([1.0, 0.9, 1.1], 4), np.full(4, 1.6)], np.full(16, 0.01))
    >>> alarm = replay(Family("performance", normal), later, np.ones(16)).alarms[0]
    >>> matters_at(alarm, later, normal), matters_at(alarm, later, normal, least=2.0).reason
    (12, 'no window since the alarm has shown a change beyond 2')
    """
    last = current.windows if alarm.closed is None else alarm.closed + 1
    places = [baselines.names.index(name) for name in alarm.names]
    effect, half = _change(current.select(alarm.names), slice(alarm.since, last), baselines, places)
    side = baselines.sides[places, np.newaxis]
    surely = np.where(side == 0, np.abs(effect), side * effect) - half
    needed = least_change(baselines, least, least_share)[places]
    found = np.flatnonzero((surely > needed[:, np.newaxis]).any(axis=0)) + alarm.since
    found = found[found >= alarm.at]
    if not found.size:
        return NotEnoughData(f"no window since the alarm has shown a change beyond {needed.min():.3g}")
    return int(found[0])


def least_change(baselines: Baselines, least: float = 0.0, least_share: float = LEAST_SHARE) -> Floats:
    """The change of each stream that must be ruled in before it matters, shape (S,), in the unit of the stream.

    `least` and `least_share` are those of `matters_at`.

    Examples
    --------
    >>> from gyroscope.stats.evidence import fit_baselines, stream
    >>> normal = fit_baselines(stream("loss", np.tile([0.8, 1.0, 1.2, 1.0], 10), np.full(40, 1e-6), side=1))
    >>> least_change(normal).round(3).tolist(), least_change(normal, least=0.5).tolist()
    ([0.036], [0.5])
    """
    found: Floats = np.maximum(least, least_share * np.sqrt(baselines.tau2))
    return found


def _change(rows: Streams, windows: slice, baselines: Baselines, places: Sequence[int]) -> tuple[Floats, Floats]:
    """The pooled change of each row up to each window, and half its interval."""
    here, tau2 = rows.present[:, windows], baselines.tau2[places, np.newaxis]
    precision = np.where(here, 1 / (np.where(here, rows.within[:, windows], 1.0) + tau2), 0.0)
    total = np.maximum(np.cumsum(precision, axis=1), 1e-300)
    mean = np.cumsum(precision * np.where(here, rows.y[:, windows], 0.0), axis=1) / total
    rho = baselines.rho[places, np.newaxis]
    memory = (1 + rho) / (1 - rho)
    half: Floats = Z_95 * np.sqrt(memory * (1 / total + baselines.mean_variance[places, np.newaxis]))
    return mean - baselines.mean[places, np.newaxis], half
