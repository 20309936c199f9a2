"""What happens to the log with time: merged, dropped by age and size, erased for a subject, verified.

It runs between two drains of the recorder, or in its place when none runs.
"""
