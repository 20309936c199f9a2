"""What the rows of the harness draw: shares of windows whose rows hang together.

Row files call this. It never judges.
"""

from __future__ import annotations

import numpy as np

Floats = np.ndarray


def clustered_shares(shares: Floats, icc: float, rng: np.random.Generator) -> Floats:
    """Each window's own share around the given one, so that two of its rows have correlation `icc`: Beta.

    >>> clustered_shares(np.array([0.1]), 0.0, np.random.default_rng(0)).tolist()
    [0.1]
    """
    if not icc:
        return shares
    strength = (1 - icc) / icc
    return rng.beta(shares * strength, (1 - shares) * strength)
