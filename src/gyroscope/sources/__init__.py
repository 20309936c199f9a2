"""Sources: tables of rows that others made, read in blocks of bounded memory.

`open_table` takes paths, frames, Arrow data and arrays; `profile_table` counts what it gives; `read_columns` holds all
of it. The notebook, the library and the command line call these. Nothing is kept, sent or logged.
"""

from gyroscope.sources.blocks import Block, Table
from gyroscope.sources.opening import open_table
from gyroscope.sources.profiling import Profiled, profile_table
from gyroscope.sources.whole import read_columns

__all__ = ["Block", "Profiled", "Table", "open_table", "profile_table", "read_columns"]
