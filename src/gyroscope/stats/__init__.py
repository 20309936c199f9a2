"""The pure kernel: numpy arrays in, numbers out.

`profiles/` summarises windows, `streams/` and `performance/` turn them into series, `evidence/` says what has changed;
`quality/`, `seasonal/`, `drift/`, `estimation/`, `attribution/` and `comparison/` each answer one question more.
Monitoring, models and reports call it. Nothing here reads a clock, a file, the network or a global.
"""
