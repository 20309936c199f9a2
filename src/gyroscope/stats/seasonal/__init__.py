"""Predictions over time: hours of traffic, scores, errors and latency against the same hours of other weeks.

`counts`, `shares` and `means` make a series, `seasonal` walks over it and `look_ahead` says what the next day is held
against. Monitoring and notebooks call this. It finds spikes and holes of hours and never a slow change.
"""

from gyroscope.stats.seasonal.ahead import Ahead
from gyroscope.stats.seasonal.series import Series, counts, hours_of_week, means, shares
from gyroscope.stats.seasonal.walk import Anomalies, Spike, look_ahead, seasonal

__all__ = [
    "Ahead",
    "Anomalies",
    "Series",
    "Spike",
    "counts",
    "hours_of_week",
    "look_ahead",
    "means",
    "seasonal",
    "shares",
]
