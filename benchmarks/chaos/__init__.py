"""The rows of `make chaos-log`: a real house under load, a fault, and a ledger that says what was lost.

Each row has a sabotaged control that must fail; where the control passes, the row is void.
"""
