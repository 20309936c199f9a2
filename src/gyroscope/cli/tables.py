"""Files of rows that a command is given: Parquet, CSV and JSON, read by DuckDB into columns.

Commands call this; what the columns mean is theirs to say.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gyroscope.errors import InputError, did_you_mean

READERS = {
    ".parquet": "read_parquet",
    ".csv": "read_csv",
    ".json": "read_json",
    ".jsonl": "read_json",
}


def read_columns(path: Path) -> dict[str, NDArray[Any]]:
    """The columns of a file: numbers as numpy arrays (masked where missing), texts as objects (None where missing).

    Raises `InputError` when the file is missing, of an unknown kind, or damaged.
    """
    import duckdb

    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(
            f"{path.suffix or 'a file without ending'} is no table",
            where=str(path),
            fix=did_you_mean(path.suffix, READERS),
        )
    if not path.is_file():
        raise InputError("there is no such file", where=str(path), fix="check the path")
    try:
        with duckdb.connect() as connection:
            # The reader is one of our own words; the path is a parameter.
            found = connection.execute(f"SELECT * FROM {reader}(?)", [str(path)]).fetchnumpy()  # noqa: S608
    except duckdb.Error as error:
        problem = str(error).splitlines()[0]
        raise InputError(
            f"the table cannot be read: {problem}", where=str(path), fix="mend or export it again"
        ) from error
    return {name: _texts(values) if values.dtype.kind in "OUS" else values for name, values in found.items()}


def _texts(values: NDArray[Any]) -> NDArray[Any]:
    # Not `filled(None)`: that means the default filling, a question mark.
    texts: NDArray[Any] = np.ma.getdata(values).astype(object)
    texts[np.ma.getmaskarray(values)] = None
    return texts
