"""The pure kernel: numpy arrays in, numbers out.

`profiles/` summarises windows, `performance/` judges answered predictions, `drift/` compares two profiles.
Monitoring, models and reports call it. Nothing here reads a clock, a file, the network or a global.
"""
