"""Data quality: what broke in a window, named at once; what crept in, as streams for the engine.

`learn_limits` and `hard_rules` act on single windows. Monitoring and the notebook call this room. It says nothing
about harm to a model, and it never needs a label.
"""

from gyroscope.stats.quality.finding import Finding, FindingKind
from gyroscope.stats.quality.limits import ColumnLimits, learn_limits
from gyroscope.stats.quality.rules import future_time, hard_rules, no_rows, schema_rules, stale

__all__ = [
    "ColumnLimits",
    "Finding",
    "FindingKind",
    "future_time",
    "hard_rules",
    "learn_limits",
    "no_rows",
    "schema_rules",
    "stale",
]
