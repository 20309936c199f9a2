"""Drift of a column against its reference, as effect sizes with intervals.

`drift` compares two counted columns, `plain_distance` by a distance that has a name; `intraclass` says how far rows of
a window hang together. Monitoring and reports call this. It measures a change and never calls one alarming.
"""

from gyroscope.stats.drift.effect import DriftEffect, EffectSize, drift, effect_size
from gyroscope.stats.drift.intraclass import Variance, effective_rows, intraclass
from gyroscope.stats.drift.plain import PLAIN, Distance, plain_distance

__all__ = [
    "PLAIN",
    "Distance",
    "DriftEffect",
    "EffectSize",
    "Variance",
    "drift",
    "effect_size",
    "effective_rows",
    "intraclass",
    "plain_distance",
]
