"""Two arms that serve at the same time, counted by the minute: evidence that one of them does more harm.

The canary gate calls this for errors, slow answers and wrong ones. Requests are split at random, so whatever troubles
both arms alike, in bursts or for hours, is no evidence; rows may be used.
"""

from __future__ import annotations

import msgspec
import numpy as np
from scipy.special import logsumexp

from gyroscope.errors import GyroscopeError
from gyroscope.stats.arrays import Floats, Ints

START_EVERY = 5
"""Minutes between starts of the test. A fault that begins after a healthy night is found by the start after it, in
minutes; the one start at the beginning would first have to forget the night."""

_DAY_STARTS = 1440 // START_EVERY
_PRIOR_HARM, _PRIOR_FINE = 0.5, 20.0


class Minutes(msgspec.Struct, frozen=True, eq=False):
    """Requests and harmful ones of two arms, by the minute or any other stretch; int64 arrays, shape (T,).

    Examples
    --------
    >>> one = np.array([1])
    >>> Minutes(one * 950, one * 5, one * 50, one * 3).b_harm.tolist()
    [3]
    """

    a_n: Ints
    a_harm: Ints
    b_n: Ints
    b_harm: Ints

    def checked(self) -> Minutes:
        """Itself; raises GyroscopeError when lengths differ or there is more harm than requests."""
        if not len(self.a_n) == len(self.a_harm) == len(self.b_n) == len(self.b_harm):
            raise GyroscopeError("the arms have not the same minutes", where="Minutes", fix="one entry a minute each")
        pairs = ((self.a_harm, self.a_n), (self.b_harm, self.b_n))
        if any(np.any((harm < 0) | (harm > n)) for harm, n in pairs):
            raise GyroscopeError("more harm than requests", where="Minutes", fix="0 <= harm <= n in every minute")
        return self


def log_e_worse(minutes: Minutes) -> Floats:
    """Log of the evidence, after each minute, that arm b does more harm than arm a.

    Parameters
    ----------
    minutes : Minutes, shape (T,)

    Returns
    -------
    float64 array, shape (T,)
        With equal arms it ever exceeds log(1 / alpha) with probability alpha at most, whatever the common rate does.

    Notes
    -----
    The likelihood of each minute under two rates against that under their mean, the rates being those of the minutes
    before (Turner, Ly & Grunwald 2024, arXiv 2106.02693); minutes in which b looked no worse do not count. The test
    starts afresh every five minutes; the first start has half of the weight, those of day d together 2^-(d + 2).

    Examples
    --------
    >>> same, bad = np.full(30, 5), np.full(30, 5)
    >>> calm = log_e_worse(Minutes(same * 200, same, same * 10, same * 0))
    >>> fault = log_e_worse(Minutes(same * 200, same, same * 10, bad))
    >>> bool(calm.max() < 0.1), int(np.argmax(fault > np.log(100)))
    (True, 1)
    """
    data = minutes.checked()
    length = len(data.a_n)
    if not length:
        return np.zeros(0)
    starts = np.arange(0, length, START_EVERY)
    rates_a, rates_b = _past_rate(data.a_harm, data.a_n, starts), _past_rate(data.b_harm, data.b_n, starts)
    total = np.maximum(data.a_n + data.b_n, 1)
    common = (data.a_n * rates_a + data.b_n * rates_b) / total
    gains = _gain(data.a_harm, data.a_n, rates_a, common) + _gain(data.b_harm, data.b_n, rates_b, common)
    counted = (rates_b > rates_a) & (np.arange(length) >= starts[:, np.newaxis]) & (data.a_n + data.b_n > 0)
    log_e = np.cumsum(np.where(counted, gains, 0.0), axis=1)
    weights = _weights(starts.size)
    # What is kept back for later starts is money that is not bet: it stays.
    rest = np.full((1, length), np.log(max(1 - weights.sum(), 1e-300)))
    return np.asarray(logsumexp(np.concatenate((log_e + np.log(weights)[:, np.newaxis], rest)), axis=0), np.float64)


def _past_rate(harm: Ints, n: Ints, starts: Ints) -> Floats:
    """Smoothed rate of the minutes from each start up to before each minute, shape (starts, T)."""
    harmed, seen = (np.concatenate(([0], np.cumsum(values)[:-1])) for values in (harm, n))
    k = np.maximum(harmed - harmed[starts][:, np.newaxis], 0)
    rows = np.maximum(seen - seen[starts][:, np.newaxis], 0)
    return np.asarray((_PRIOR_HARM + k) / (_PRIOR_HARM + _PRIOR_FINE + rows), np.float64)


def _gain(harm: Ints, n: Ints, rate: Floats, common: Floats) -> Floats:
    rate, common = np.clip(rate, 1e-12, 1 - 1e-12), np.clip(common, 1e-12, 1 - 1e-12)
    return np.asarray(harm * np.log(rate / common) + (n - harm) * np.log((1 - rate) / (1 - common)), np.float64)


def _weights(count: int) -> Floats:
    """Of each start; they sum to 1 over all that will ever be."""
    weights = 0.5 ** (np.arange(count) // _DAY_STARTS + 2) / _DAY_STARTS
    weights[0] += 0.5
    return np.asarray(weights, np.float64)
