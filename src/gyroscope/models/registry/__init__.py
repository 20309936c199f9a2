"""Models that live in a registry elsewhere: where they come from, and what it is told of their way here.

`gyro models add` fetches, control tells. A registry that does not answer never delays what is served.
"""
