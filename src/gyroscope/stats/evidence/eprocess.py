"""The e-value that windows j..t have shifted against the reference, with the reference's mean and variance unknown.

The detector calls this for all streams and starts at once. It never sees a window, only sums over windows.
"""

from __future__ import annotations

import msgspec
import numpy as np
from scipy.special import ndtr

from gyroscope.stats.arrays import Floats, Ints

PRIORS = {0.25: 0.2, 1.0: 0.4, 4.0: 0.4}
"""Variances of the normal prior on the shift in standard deviations, and their weights: small, middle, large shifts."""

_LARGEST_LOG = 600.0
_LOG_2 = float(np.log(2.0))


class Sums(msgspec.Struct, frozen=True, eq=False):
    """Sums over windows of scores: how many, of weights, of weights times value, of squares. Arrays of one shape.

    Examples
    --------
    >>> Sums(np.ones(1), np.ones(1), np.ones(1), np.ones(1)).mean.tolist()
    [1.0]
    """

    count: Floats
    weight: Floats
    total: Floats
    square: Floats

    @property
    def parts(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Count, weight, total, square."""
        return self.count, self.weight, self.total, self.square

    @property
    def mean(self) -> Floats:
        """Weighted mean; 0 where there is nothing."""
        if self.weight.all():
            return self.total / self.weight
        return np.divide(self.total, self.weight, out=np.zeros_like(self.total), where=self.weight > 0)

    @property
    def spread(self) -> Floats:
        """Weighted sum of squares around the mean."""
        return np.maximum(self.square - self.total * self.mean, 0.0)


def e_values(reference: Sums, current: Sums, sides: Ints, tolerances: Floats, least: float = 0.0) -> Floats:
    """Evidence for a shift between reference and current windows.

    Parameters
    ----------
    reference : Sums, shape (S, 1)
    current : Sums, shape (S, J)
        Per stream and candidate start.
    sides : int array, shape (S,)
        1, -1: a shift this way only; 0: either way.
    tolerances : float array, shape (S,)
        A shift that is of no interest, in units of a score.
    least : float
        What is surely below it may be given as 0: nearly all of normal windows, at a tenth of the time.

    Returns
    -------
    float array, shape (S, J)
        1 where there is no current window; at most e^600.

    Notes
    -----
    The two-sample t test martingale with the right-Haar prior on mean and variance and a normal prior of variance g on
    the standardised shift, averaged over g (Wang & Ramdas 2023, arXiv 2310.03722; Perez-Ortiz, Lardy, de Heide &
    Grunwald 2024, arXiv 2208.07610). With reference noise inside it, more looks need no further correction.

    Examples
    --------
    >>> def sums(*values):
    ...     return Sums(*(np.array([[value]]) for value in values))
    >>> reference, normal, high = sums(40.0, 40.0, 0.0, 40.0), sums(5.0, 5.0, 0.0, 5.0), sums(5.0, 5.0, 10.0, 25.0)
    >>> either = np.array([0]), np.array([0.0])
    >>> e_values(reference, normal, *either).round(2).tolist(), e_values(reference, high, *either).round(0).tolist()
    ([[0.4]], [[149.0]])
    """
    h = reference.weight * current.weight / (reference.weight + current.weight)
    mean = current.mean
    shift = _beyond(mean - reference.mean, sides, tolerances)
    rss = reference.spread + np.maximum(current.square - current.total * mean, 0.0)
    degrees = reference.count + current.count - 1
    hb2 = h * shift**2
    one = (sides != 0)[:, np.newaxis]
    if least <= 1:
        mixed = _mixture(h, hb2, rss, degrees, np.where(one, np.sign(shift), 0.0))
        return np.where(current.count > 0, mixed, 1.0)
    # No prior says more than the best-fitting shift, (1 + hb2 / rss)^(degrees / 2), twice that where one side counts.
    log_least = np.log(least) - np.where(one, _LOG_2, 0.0)
    telling = (0.5 * degrees * hb2 >= log_least * rss) & (current.count > 0)
    telling &= ~one | (shift > 0)
    found = np.zeros(h.shape)
    direction = np.broadcast_to(one, h.shape)[telling] * 1.0  # a shift that tells of one side is one to harm
    found[telling] = _mixture(h[telling], hb2[telling], rss[telling], degrees[telling], direction)
    return found


def _mixture(h: Floats, hb2: Floats, rss: Floats, degrees: Floats, direction: Floats) -> Floats:
    """The e-values over all priors; `direction` is 0 where either side counts, else whether the shift is to harm."""
    total = np.zeros_like(h)
    one = direction != 0
    for g, weight in PRIORS.items():
        q = 1 + g * h
        # degrees * growth is nu log(1 + t^2 / nu) of the t statistic under this prior.
        growth = np.log((rss + hb2) / (rss + hb2 / q))
        e = np.exp(np.minimum(0.5 * (degrees * growth - np.log(q)), _LARGEST_LOG))
        if one.any():
            e[one] *= 2 * _student_cdf(degrees[one], growth[one], direction[one])
        total += weight * e
    return total


def _student_cdf(degrees: Floats, growth: Floats, sign: Floats) -> Floats:
    """P(T <= t), T of Student, t from `growth` = log(1 + t^2 / nu) and its sign.

    Wallace 1959, Ann. Math. Stat. 30, 1124: within 0.4 % for t > -3 and 14 degrees or more, at a twentieth of the time.
    """
    z = np.sqrt(degrees * growth) * (8 * degrees + 1) / (8 * degrees + 3)
    share: Floats = ndtr(np.copysign(z, sign))
    return share


def _beyond(shift: Floats, sides: Ints, tolerances: Floats) -> Floats:
    """The shift in the direction of harm, less the tolerance."""
    side, tolerance = sides[:, np.newaxis], tolerances[:, np.newaxis]
    if not tolerances.any():
        return np.where(side == 0, 1, side) * shift
    either = np.sign(shift) * np.maximum(np.abs(shift) - tolerance, 0.0)
    return np.where(side == 0, either, side * shift - tolerance)
