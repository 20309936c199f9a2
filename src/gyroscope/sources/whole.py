"""All rows of a table as arrays, for what needs the rows themselves: references, logged rows, labels.

Profiles do not come through here: they never hold a table.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from gyroscope.sources.opening import arrays_of, open_table
from gyroscope.sources.profiling import no_column
from gyroscope.stats.profiles import RowSample
from gyroscope.stats.texts import Texts


def read_columns(data: Any) -> dict[str, npt.NDArray[Any]]:
    """The columns of a table: numbers, dates, or objects (text, None where missing). Arrays stay as they are.

    Raises `InputError` when it cannot be read, or a column holds neither numbers nor text.

    >>> read_columns({"x": [1, 2]})
    {'x': array([1, 2])}
    """
    arrays = arrays_of(data)
    if arrays is not None:
        return arrays
    table, rows = open_table(data), RowSample(most_rows=sys.maxsize)
    for block in table.blocks():
        for name, holds in block.unreadable.items():
            raise no_column(name, holds, table.where)
        rows.add(block.columns)
    return {name: _as_array(values) for name, values in rows.columns().items()}


def _as_array(values: Any) -> npt.NDArray[Any]:
    return np.array(values.tolist(), dtype=object) if isinstance(values, Texts) else values
