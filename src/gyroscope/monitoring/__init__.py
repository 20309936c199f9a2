"""The monitors that every model gets: windows of event time, performance, drift, predictions over time, missing values.

Control runs the loop; pages, reports and the command line ask for windows. Reads the three stores, notifies nobody.
Names are imported when asked for: a replica that only looks for alerts must not load DuckDB and SciPy with them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gyroscope.monitoring.loop import Monitor, Stores
    from gyroscope.monitoring.months import Month
    from gyroscope.monitoring.rounds import Round
    from gyroscope.monitoring.windows import closes_at, window_of

__all__ = ["Monitor", "Month", "Round", "Stores", "closes_at", "window_of"]

_HOMES = {
    "Monitor": "loop",
    "Month": "months",
    "Round": "rounds",
    "Stores": "loop",
    "closes_at": "windows",
    "window_of": "windows",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gyroscope.monitoring' has no attribute {name!r}")
    return getattr(importlib.import_module(f"gyroscope.monitoring.{_HOMES[name]}"), name)
