"""Every measured number of the house, as labelled series over time.

Producers put, pages and deciders query, Prometheus scrapes. Knows no room and judges nothing.
"""

from gyroscope.signals.prometheus import Family, Histogram, Sample, exposition, gauges
from gyroscope.signals.store import Signals

__all__ = ["Family", "Histogram", "Sample", "Signals", "exposition", "gauges"]
