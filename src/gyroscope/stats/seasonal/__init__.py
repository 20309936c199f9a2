"""Predictions over time: hours of traffic, scores, errors and latency against the same hours of other weeks.

`counts`, `shares` and `means` make a series, `seasonal` walks over it. Monitoring and notebooks call this. It finds
spikes and holes of hours and never a slow change.
"""

from gyroscope.stats.seasonal.series import Series, counts, hours_of_week, means, shares
from gyroscope.stats.seasonal.walk import Anomalies, Spike, seasonal

__all__ = ["Anomalies", "Series", "Spike", "counts", "hours_of_week", "means", "seasonal", "shares"]
