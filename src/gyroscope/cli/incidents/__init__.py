"""`gyro incidents ...`: what monitors are sure of, one record per cause, and what people decided about it.

One file for looking at many, one for looking at one, one for the five decisions, one that tries the notifiers.
"""
