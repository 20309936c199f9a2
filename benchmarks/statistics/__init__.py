"""The statistics held to their claims: `make bench-statistics`, one file per row or group of rows.

Reference and production are always drawn afresh from one population, or days of a year are permuted and split; nothing
is resampled from the reference it is compared with. A quick run fails only where its error leaves no doubt.
"""
