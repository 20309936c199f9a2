"""Comparing versions by evidence that is valid at every look: paired in the shadow, side by side as a canary.

`shadow` and `canary` give a `Decision`: promote, roll back, or keep waiting, with the reason and the figures. Rollouts
and notebooks call them. They never change what is served, and too little data is never a pass.
"""

from gyroscope.stats.comparison.canary import Canary, Harm, canary
from gyroscope.stats.comparison.minutes import Minutes, log_e_worse
from gyroscope.stats.comparison.one_sample import interval, log_e_above
from gyroscope.stats.comparison.ratio import log_e_split
from gyroscope.stats.comparison.shadow import Paired, Shadow, shadow

__all__ = [
    "Canary",
    "Harm",
    "Minutes",
    "Paired",
    "Shadow",
    "canary",
    "interval",
    "log_e_above",
    "log_e_split",
    "log_e_worse",
    "shadow",
]
