"""Drift of a column against its reference, as effect sizes with intervals.

`drift` compares two counted columns, `drifts` all of two profiles, `Effects` every column of many windows with one
reference; `plain_distance` goes by a distance that has a name. `intraclass` says how far rows of a window hang
together. Monitoring and reports call this. It measures a change and never calls one alarming.
"""

from gyroscope.stats.drift.columns import Effects, EffectSize, effects
from gyroscope.stats.drift.effect import DriftEffect, drift, drifts
from gyroscope.stats.drift.intraclass import Variance, effective_rows, intraclass
from gyroscope.stats.drift.plain import PLAIN, Distance, plain_distance

__all__ = [
    "PLAIN",
    "Distance",
    "DriftEffect",
    "EffectSize",
    "Effects",
    "Variance",
    "drift",
    "drifts",
    "effective_rows",
    "effects",
    "intraclass",
    "plain_distance",
]
