"""`gyro models ...`: add, list, show, serve and convert versions.

One file per verb; `candidates.py` and `held_out.py` read what `add` is given.
"""
