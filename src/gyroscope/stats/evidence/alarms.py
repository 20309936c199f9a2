"""What the detector says: alarms with their members, and the course of the evidence.

Monitoring makes incidents of these, charts draw them. Windows are counted from the first one that was replayed.
"""

from __future__ import annotations

import msgspec
import numpy as np

from gyroscope.stats.arrays import Floats
from gyroscope.stats.evidence.baselines import Baselines
from gyroscope.stats.evidence.streams import Streams
from gyroscope.stats.intervals import Z_95

CALM_WINDOWS, CALM_SCORE, LOUD_SHARE = 3, 2.0, 0.1
"""An alarm closes after three windows in which no member scores 2 or more, of ten members or more a tenth may: of 40
normal streams two are beyond 2 in any window, and such an alarm would never close."""


_MOST = 0.9


class Member(msgspec.Struct, frozen=True):
    """A stream that an alarm is about.

    Attributes
    ----------
    name : str
    share : float
        Of the family's evidence, 0 to 1.
    z : float
        Mean score since the change.
    effect, low, high : float
        How far the stream has moved since the change, in its own unit, with 95 % limits; positive is up.

    Examples
    --------
    >>> Member("loss", 1.0, z=2.5, effect=0.1, low=0.04, high=0.16).name
    'loss'
    """

    name: str
    share: float
    z: float
    effect: float
    low: float
    high: float


class Alarm(msgspec.Struct, frozen=True):
    """The evidence of a family reached its budget.

    Attributes
    ----------
    family : str
    at : int
        The window with which it did.
    since : int
        The window with which the change most likely began.
    mass : float
        The evidence, 1 or more.
    members : tuple of Member
        The streams that convince alone, else the strongest until they hold 90 % of it; their evidence rests until
        the alarm is closed.
    closed : int or None
        The window with which it did; None while it is open.

    Examples
    --------
    >>> Alarm("performance", at=12, since=9, mass=1.7, members=()).closed is None
    True
    """

    family: str
    at: int
    since: int
    mass: float
    members: tuple[Member, ...]
    closed: int | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Of the members."""
        return tuple(member.name for member in self.members)


class State(msgspec.Struct, frozen=True):
    """Where a replay stopped: enough to go on with later windows and get the same bits.

    Examples
    --------
    >>> msgspec.json.encode(State(30))
    b'{"windows":30,"alarms":[]}'
    """

    windows: int = 0
    alarms: tuple[Alarm, ...] = ()


class Course(msgspec.Struct, frozen=True, eq=False):
    """The evidence of a family over windows.

    Attributes
    ----------
    names : tuple of str, length S
    mass : float array, shape (T,)
        What was compared with 1 after each window; NaN for windows before the state that the replay went on from.
    evidence : float array, shape (S, T)
        Each stream's part of it.
    z : float array, shape (S, T)
        NaN where absent.
    state : State

    Examples
    --------
    >>> Course((), np.zeros(0), np.zeros((0, 0)), np.zeros((0, 0)), State()).alarms
    ()
    """

    names: tuple[str, ...]
    mass: Floats
    evidence: Floats
    z: Floats
    state: State

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """All of them, in order; open ones too."""
        return self.state.alarms


def is_calm(z: Floats) -> bool:
    """Whether the last three windows with a value were normal in every stream, or in nine of ten.

    Parameters
    ----------
    z : float array, shape (members, windows since the alarm)
        In the direction of harm; NaN where absent.

    Examples
    --------
    >>> is_calm(np.array([[3.0, 0.1, np.nan, -0.4, 1.9]])), is_calm(np.array([[0.1, 0.2]]))
    (True, False)
    """
    seen = z[:, ~np.isnan(z).all(axis=0)][:, -CALM_WINDOWS:]
    loud = (seen >= CALM_SCORE).sum(axis=0)
    return seen.shape[1] == CALM_WINDOWS and bool((loud <= int(LOUD_SHARE * len(z))).all())


def telling(shares: Floats, alone: Floats) -> list[int]:
    """Which streams an alarm is about, the strongest first.

    Parameters
    ----------
    shares : float array, shape (S,)
        Of the family's evidence.
    alone : float array, shape (S,)
        Each one's e-value for the change, times its weight among all.

    Returns
    -------
    list of int
        Those that convince alone, even as one among all. Where these do not make half of the evidence: the strongest
        until they make 90 % of it. More members than needed are no harm to the budget, as they only rest.

    Examples
    --------
    >>> telling(np.array([0.05, 0.6, 0.35]), np.array([0.1, 9.0, 3.0]))
    [1, 2]
    >>> telling(np.array([0.3, 0.3, 0.32, 0.08]), np.array([0.4, 0.4, 0.5, 0.1]))
    [2, 0, 1]
    """
    order = np.argsort(-shares, kind="stable")
    convincing = order[(alone >= 1)[order] & (shares > 0)[order]]
    if shares[convincing].sum() >= shares.sum() / 2:
        return [int(row) for row in convincing]
    count = int(np.searchsorted(np.cumsum(shares[order]), _MOST * shares.sum())) + 1
    return [int(row) for row in order[:count]]


def describe(rows: list[int], shares: Floats, z: Floats, current: Streams, baselines: Baselines) -> tuple[Member, ...]:
    """The members of an alarm.

    Parameters
    ----------
    rows : list of int
        Of the members among S streams.
    shares : float array, shape (S,)
    z : float array, shape (S, K)
        Scores of the windows since the change.
    current : Streams
        Exactly those windows.
    baselines : Baselines

    Returns
    -------
    tuple of Member
        The interval counts windows, not rows, and widens with the memory between them.

    Examples
    --------
    >>> from gyroscope.stats.evidence import fit_baselines, scores, stream
    >>> normal = fit_baselines(stream("loss", np.tile([0.9, 1.0, 1.1, 1.0], 15), np.full(60, 0.01)), is_ordered=False)
    >>> since = stream("loss", [1.5, 1.7], [0.01, 0.01])
    >>> member = describe([0], np.ones(1), scores(normal, since), since, normal)[0]
    >>> round(member.effect, 3), round(member.low, 3), round(member.high, 3)
    (0.6, 0.459, 0.741)
    """
    here = current.present
    variance = np.where(here, current.within, 1.0) + baselines.tau2[:, np.newaxis]
    precision = np.where(here, 1 / variance, 0.0)
    y = np.where(here, current.y, 0.0)
    members = []
    for row in rows:
        total = float(precision[row].sum())
        effect = float((precision[row] * y[row]).sum()) / total - float(baselines.mean[row])
        memory = float((1 + baselines.rho[row]) / (1 - baselines.rho[row]))
        half = Z_95 * float(np.sqrt(memory * (1 / total + baselines.mean_variance[row])))
        mean_z = float(np.nanmean(z[row]))
        members.append(Member(baselines.names[row], float(shares[row]), mean_z, effect, effect - half, effect + half))
    return tuple(members)
