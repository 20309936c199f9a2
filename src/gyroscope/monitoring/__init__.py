"""The monitors that every model gets: windows of event time, performance, drift, predictions over time, missing values.

Control runs the loop; pages, reports and the command line ask for windows. Reads the three stores, notifies nobody.
"""

from gyroscope.monitoring.loop import Monitor, Month, Round
from gyroscope.monitoring.windows import closes_at, window_of

__all__ = ["Monitor", "Month", "Round", "closes_at", "window_of"]
