"""The speed and size of profiles: `make bench-profile`, one file per group of rows.

Everybody reads the same Parquet files in a process of its own, in turn; what counts is the time from its start to its
end, imports included.
"""
