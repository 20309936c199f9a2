"""Arrow IPC streams, read and written without a native reader: two of those die of hostile bytes, this cannot.

`dialects/arrow.py` reads rows and writes answers with it. Only flat columns of what features can be are understood; see
decisions/0011-an-arrow-reader-of-our-own.md.
"""
