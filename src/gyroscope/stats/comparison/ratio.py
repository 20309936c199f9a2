"""Whether the requests were split as they should have been; if not, the two arms are not comparable.

Both gates call this first. It does not say what went wrong: retries, caches, a bot that always lands on one arm.
"""

from __future__ import annotations

import math

from scipy.special import betaln

_PRIOR_ROWS = 100.0


def log_e_split(n_a: int, n_b: int, share_b: float) -> float:
    """Log of the evidence against a split of `share_b` to arm b.

    Parameters
    ----------
    n_a, n_b : int
        Requests so far.
    share_b : float
        What arm b was to get, above 0 and below 1.

    Returns
    -------
    float
        With the right split it ever exceeds log(1 / alpha) with probability alpha at most: it may be looked at after
        every request. A binomial test at 1e-4 looked at every minute of a day is wrong more often than that.

    Notes
    -----
    Binomial likelihood under a Beta prior around the intended share over that under the share (Lindon & Malek 2022,
    arXiv 2011.03567, anytime-valid inference for multinomial counts).

    Examples
    --------
    >>> log_e_split(9_500, 500, 0.05) < 0, log_e_split(9_300, 700, 0.05) > math.log(10_000)
    (True, True)
    """
    a, b = _PRIOR_ROWS * share_b, _PRIOR_ROWS * (1 - share_b)
    plain = n_b * math.log(share_b) + n_a * math.log1p(-share_b)
    return float(betaln(a + n_b, b + n_a) - betaln(a, b) - plain)
