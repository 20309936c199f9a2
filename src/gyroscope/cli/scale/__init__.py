"""`gyro scale ...`: what the loop of scaling decided, why, and what it would decide now.

One file per verb. They read the stores; `once` looks at what runs for some seconds too.
"""
