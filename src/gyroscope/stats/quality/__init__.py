"""Data quality: what broke in a window, named at once; what crept in, as streams for the engine.

`learn_limits` and `hard_rules` act on single windows. Monitoring and the notebook call this room. It says nothing
about harm to a model, and it never needs a label.
"""

from gyroscope.stats.quality.duplicates import Repetition, duplicate_rows, learn_repetition
from gyroscope.stats.quality.finding import Finding, FindingKind
from gyroscope.stats.quality.inhibition import (
    Lineage,
    causes_only,
    derived_from,
    followers,
    roots_first,
)
from gyroscope.stats.quality.limits import ColumnLimits, learn_limits, most_alike_share
from gyroscope.stats.quality.rules import (
    FUTURE_US,
    STALE_INTERVALS,
    future_time,
    hard_rules,
    no_rows,
    refused_column,
    stale,
)
from gyroscope.stats.quality.soft import soft_baselines
from gyroscope.stats.quality.swaps import swaps
from gyroscope.stats.quality.units import unit_change

__all__ = [
    "FUTURE_US",
    "STALE_INTERVALS",
    "ColumnLimits",
    "Finding",
    "FindingKind",
    "Lineage",
    "Repetition",
    "causes_only",
    "derived_from",
    "duplicate_rows",
    "followers",
    "future_time",
    "hard_rules",
    "learn_limits",
    "learn_repetition",
    "most_alike_share",
    "no_rows",
    "refused_column",
    "roots_first",
    "soft_baselines",
    "stale",
    "swaps",
    "unit_change",
]
