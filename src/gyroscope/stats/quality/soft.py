"""What creeps in: missing values, new categories, values out of range, as streams for the engine.

Monitoring makes the family "quality" of these. A share has to rise by half a percentage point and by half of itself
before anybody is told; the engine then says whether it is chance.
"""

from __future__ import annotations

import msgspec
import numpy as np

from gyroscope.stats.evidence import Baselines, Streams, fit_baselines

KINDS = ("missing", "new", "below", "above")
LEAST_RISE, LEAST_TIMES = 0.005, 1.5


def soft_baselines(reference: Streams) -> Baselines:
    """Baselines of the shares that data quality watches.

    Parameters
    ----------
    reference : Streams
        Of the columns over the reference windows, see `stats.streams`; those called "...:missing", "...:new",
        "...:below" and "...:above" are taken, upwards only, in arcsine units.

    Returns
    -------
    Baselines
        With a tolerance each: the rise to the greater of m + 0.5 points and 1.5 m, in standard deviations of a normal
        window. Hand it to a `Family`; later windows of the same streams are matched by name.

    Examples
    --------
    >>> from gyroscope.stats.evidence import stream
    >>> shares = 2 * np.arcsin(np.sqrt(np.array([0.01, 0.02] * 10)))
    >>> found = soft_baselines(stream("x:missing", shares, [0.001] * 20).join(stream("x:location", shares, [0.1] * 20)))
    >>> found.names, found.sides.tolist(), round(float(found.tolerances[0]), 2)
    (('x:missing',), [1], 1.28)
    """
    watched = tuple(name for name in reference.names if name.rpartition(":")[2] in KINDS)
    chosen = reference.select(watched)
    upwards = np.ones(len(watched), np.int64)
    fitted = fit_baselines(msgspec.structs.replace(chosen, sides=upwards))
    share = np.sin(np.clip(fitted.mean, 0, np.pi) / 2) ** 2
    risen = np.minimum(np.maximum(share + LEAST_RISE, LEAST_TIMES * share), 1.0)
    rise = 2 * np.arcsin(np.sqrt(risen)) - 2 * np.arcsin(np.sqrt(share))
    return msgspec.structs.replace(fitted, tolerances=rise / np.sqrt(np.maximum(fitted.typical, 1e-300)))
