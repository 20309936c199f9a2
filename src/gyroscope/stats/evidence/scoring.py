"""Scores: how unusual each window of a stream is, on the scale of a standard normal, whatever the stream's law.

The detector and the charts read them. One window's score never says that something changed; the detector adds up.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from gyroscope.stats.arrays import Floats
from gyroscope.stats.evidence.baselines import Baselines, standardise, within_reference, without_memory
from gyroscope.stats.evidence.pooling import pooled
from gyroscope.stats.evidence.streams import Streams

CAP = 4.0
"""No score is beyond 4, so that no single window alarms one stream among hundreds: gross faults are found at once by
the hard rules of data quality, here in two to four windows."""

_TAIL = 0.2
"""The share of residuals on each side whose mean excess says how fast a tail falls."""


def scores(baselines: Baselines, current: Streams) -> Floats:
    """Score windows against what is normal.

    Parameters
    ----------
    baselines : Baselines
        Of S streams.
    current : Streams
        Windows in order of time, matched by name; a stream that is not there is absent in every window.

    Returns
    -------
    float array, shape (S, T)
        Standard normal for normal windows, at most 4 in size, NaN where absent.

    Notes
    -----
    Inside the range of the reference the score is half that of the window's rank among the reference windows, (midrank
    + 0.5) / (D + 1), half the standardised residual itself; beyond it the tail is exponential, with a mean excess
    raised for the few values it is known from.
    Plain standardised residuals gave 15 false alarms on log-normal streams where 1 is allowed.

    Examples
    --------
    >>> from gyroscope.stats.evidence import fit_baselines, stream
    >>> normal = fit_baselines(stream("loss", np.linspace(-2, 2, 41), np.ones(41)), is_ordered=False)
    >>> scores(normal, stream("loss", [0.1, 2.0, 50.0, np.nan], np.ones(4))).round(2).tolist()
    [[0.06, 1.84, 4.0, nan]]
    """
    known = current.select(baselines.names)
    return rank_tail(without_memory(standardise(known, baselines.mean, baselines.tau2), baselines.rho), baselines)


def rank_tail(left: Floats, baselines: Baselines) -> Floats:
    """Normal scores of residuals `left` (S, T) by their place among the reference's, NaN where those are NaN.

    Examples
    --------
    >>> from gyroscope.stats.evidence import fit_baselines, stream
    >>> normal = fit_baselines(stream("loss", np.linspace(-2, 2, 41), np.ones(41)), is_ordered=False)
    >>> rank_tail(np.array([[-9.0, np.nan]]), normal).round(2).tolist()
    [[-4.0, nan]]
    """
    reference = baselines.residuals
    windows = baselines.windows[:, np.newaxis]
    last = np.take_along_axis(reference, windows - 1, axis=1)
    found = within_reference(left, reference, windows)
    found[np.isnan(left)] = np.nan
    falls = _falls(baselines)
    for beyond, fall, sign in ((left - last, falls[0], 1), (reference[:, :1] - left, falls[1], -1)):
        stream, window = np.nonzero(beyond > 0)
        tail = np.exp(-beyond[stream, window] / fall[stream, 0])
        found[stream, window] = sign * np.minimum(-ndtri(0.5 / (windows[stream, 0] + 1) * tail), CAP)
    return found


def _falls(baselines: Baselines) -> tuple[Floats, Floats]:
    """How far beyond the last reference value one more e-fold lies, upwards and downwards, shape (S, 1) each."""
    here = np.isfinite(baselines.residuals)
    e = np.where(here, baselines.residuals, 0.0)
    windows = baselines.windows[:, np.newaxis]
    variance = (e**2).sum(axis=1, keepdims=True) / windows - (e.sum(axis=1, keepdims=True) / windows) ** 2
    # A residual's own unit is 1: a stream that never moved in the reference, such as a count of new categories, is
    # judged by what its rows alone would do.
    floor = 0.3 * np.sqrt(np.maximum(variance, 1.0))
    upper = np.take_along_axis(e, ((1 - _TAIL) * (windows - 1)).astype(np.int64), axis=1)
    lower = np.take_along_axis(e, (_TAIL * (windows - 1)).astype(np.int64) + 1, axis=1)
    up, down = (np.where(here, np.maximum(excess, 0.0), 0.0) for excess in (e - upper, lower - e))
    return np.maximum(_raised_mean(up), floor), np.maximum(_raised_mean(down), floor)


def _raised_mean(excess: Floats) -> Floats:
    """Mean excess per stream, (S, 1), raised by two of the standard errors that the other streams leave of it.

    A stream alone is known from few values and raised most; where tails differ no more than by chance, a stream that
    looks lighter than the others was lucky, and theirs is its own. Never below what it showed itself.
    """
    count = (excess > 0).sum(axis=1)
    has_tail = count > 0
    own, error = np.zeros(len(excess)), np.zeros(len(excess))
    own[has_tail] = excess.sum(axis=1)[has_tail] / count[has_tail]
    error[has_tail] = own[has_tail] / np.sqrt(count[has_tail])  # of a mean of exponential values
    raised = own.copy()
    drawn, kept = pooled(own[has_tail], error[has_tail])
    raised[has_tail] = drawn + 2 * np.sqrt(kept) * error[has_tail]
    return np.clip(raised, own, own + 2 * error)[:, np.newaxis]
