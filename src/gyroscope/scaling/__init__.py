"""How many replicas a model gets: what is asked, what one replica carries, and a decision with a reason.

Control runs the loop, `gyro scale` shows it. It writes the wanted size and starts nothing: the supervisor does.
"""

from gyroscope.scaling.loop import recompute

__all__ = ["recompute"]
