"""What is promised in figures, measured: `make bench-log`, `make chaos-log`; one file per row of the table.

Nothing here is part of the product. Results go to benchmarks/results/; a target exits 1 when a claim falls short.
"""
