"""`make bench-loop`: what the loops that act must show, row by row.

`benchmarks.target` runs the files; each measures its own rows and judges nothing.
"""
