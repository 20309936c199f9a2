"""Whether what an alarm found is large enough to matter: the gate between a reading and an incident.

Monitoring asks it of every alarm of performance. It can only make incidents rarer, never an alarm.
"""

from __future__ import annotations

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
    95 % limit counts windows, not rows, and widens with the memory between them.

    Examples
    --------
    >>> from gyroscope.stats.evidence import Family, fit_baselines, replay, stream
    >>> normal = fit_baselines(stream("loss", np.tile([0.9, 1.0, 1.1, 1.0], 10), np.full(40, 0.01), side=1))
    >>> later = stream("loss", np.r_[np.tile([1.0, 0.9, 1.1], 4), np.full(4, 1.6)], np.full(16, 0.01))
    >>> alarm = replay(Family("performance", normal), later, np.ones(16)).alarms[0]
    >>> matters_at(alarm, later, normal), matters_at(alarm, later, normal, least=2.0).reason
    (12, 'no window since the alarm has shown a change beyond 2')
    """
    strongest = max(alarm.members, key=lambda member: member.share).name
    place = baselines.names.index(strongest)
    last = current.windows if alarm.closed is None else alarm.closed + 1
    effect, half = _change(current.select((strongest,)), slice(alarm.since, last), baselines, place)
    side = int(baselines.sides[place])
    surely = (side * effect if side else np.abs(effect)) - half
    needed = max(least, least_share * float(baselines.tau2[place]) ** 0.5)
    found = np.flatnonzero(surely > needed) + alarm.since
    found = found[found >= alarm.at]
    if not found.size:
        return NotEnoughData(f"no window since the alarm has shown a change beyond {needed:.3g}")
    return int(found[0])


def _change(row: Streams, windows: slice, baselines: Baselines, place: int) -> tuple[Floats, Floats]:
    """The pooled change up to each window, and half its interval."""
    here, tau2 = row.present[0, windows], float(baselines.tau2[place])
    precision = np.where(here, 1 / (np.where(here, row.within[0, windows], 1.0) + tau2), 0.0)
    total = np.maximum(np.cumsum(precision), 1e-300)
    mean = np.cumsum(precision * np.where(here, row.y[0, windows], 0.0)) / total
    memory = (1 + float(baselines.rho[place])) / (1 - float(baselines.rho[place]))
    half: Floats = Z_95 * np.sqrt(memory * (1 / total + float(baselines.mean_variance[place])))
    return mean - float(baselines.mean[place]), half
