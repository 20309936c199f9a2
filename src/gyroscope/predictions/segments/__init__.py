"""The record that is written before a reply leaves, the files it lies in, and the reader that survives damage.

A replica imports this package alone: it must load neither DuckDB nor Delta.
"""
