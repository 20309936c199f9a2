"""The library without a server: profile a table of any common kind, compare two, see the result in a notebook.

`import gyroscope` offers `profile` and `compare` from here. Files and Arrow data are read by DuckDB; pandas gives its
own columns and is never imported. Nothing is kept, sent or logged.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gyroscope.errors import InputError, did_you_mean
from gyroscope.reports.comparison import Comparison, compare_profiles
from gyroscope.stats import profiles
from gyroscope.stats.profiles import Layout, Profile

__all__ = ["Comparison", "Profile", "compare", "profile"]

Columns = dict[str, npt.NDArray[Any]]

READERS = {
    ".parquet": "read_parquet(?)",
    ".pq": "read_parquet(?)",
    # Every row is looked at before types are chosen: text in row 30,000 makes a column of text, not an error.
    ".csv": "read_csv(?, sample_size = -1)",
    ".tsv": "read_csv(?, sample_size = -1)",
    ".csv.gz": "read_csv(?, sample_size = -1)",
}
"""How a file's name ends -> how DuckDB reads it."""

TEXTS = ("VARCHAR", "ENUM", "UUID", "JSON")
MOMENTS = ("TIMESTAMP", "TIME", "INTERVAL")
NUMBERS = ("DECIMAL", "DOUBLE", "FLOAT", "HUGEINT", "BIGINT", "INTEGER", "SMALLINT", "TINYINT")


def profile(data: Any, reference: Profile | Layout | None = None) -> Profile:
    """Count a table, once and for all: what `compare` needs, and nothing that could be traced to a row.

    Parameters
    ----------
    data : path, mapping of str to array, pandas or Polars frame, or anything with Arrow columns
        A path names a Parquet or CSV file. Dates become numbers (microseconds since 1970).
    reference : Profile or Layout, optional
        Whose bins to count on; without it bins are fitted to `data`, which then is a reference itself.

    Returns
    -------
    Profile
        Its `columns` hold counts, `mean`, `quantile(q)`, `min` and `max`.

    Raises
    ------
    InputError
        When the data is of an unknown kind, a file cannot be read, or a column holds lists or records.

    Examples
    --------
    >>> import numpy as np
    >>> ages = profile({"age": np.array([31.0, 45.0, np.nan, 27.0])})
    >>> ages.n, ages.columns["age"].missing, round(ages.columns["age"].mean, 2)
    (4, 1, 34.33)
    """
    return _profile(read_columns(data), reference)


def compare(reference: Any, current: Any) -> Comparison:
    """How far the current data has moved from the reference, column by column, as effect sizes with intervals.

    Parameters
    ----------
    reference, current : Profile, or whatever `profile` takes
        A current profile must have been counted on the reference's bins.

    Returns
    -------
    Comparison
        Shown as a table in a notebook; `.figure(column)` draws, `.to_html(path)` writes a report.

    Raises
    ------
    InputError
        As `profile`.

    Examples
    --------
    >>> import numpy as np
    >>> before, after = {"x": np.repeat([0.0, 1.0], [500, 500])}, {"x": np.repeat([0.0, 1.0], [300, 700])}
    >>> moved = compare(before, after)
    >>> round(moved["x"].effect.effect, 2), moved["x"].reference.missing_share
    (0.4, 0.0)
    """
    before = reference if isinstance(reference, Profile) else profile(reference)
    if isinstance(current, Profile):
        return compare_profiles(before, current)
    columns = read_columns(current)
    added = tuple(name for name in columns if name not in before.columns)
    gone = tuple(name for name in before.columns if name not in columns)
    return compare_profiles(before, _profile(columns, before), added, gone)


def read_columns(data: Any) -> Columns:
    """The columns of a table as numpy arrays: numbers, dates, or objects (text, None where missing).

    Examples
    --------
    >>> read_columns({"x": [1, 2]})
    {'x': array([1, 2])}
    """
    if isinstance(data, Mapping):
        return {str(name): _array(values) for name, values in data.items()}
    if isinstance(data, str | os.PathLike):
        return _read_file(Path(data))
    if type(data).__module__.partition(".")[0] == "pandas" and hasattr(data, "columns"):
        return {str(name): _read_series(data.iloc[:, place]) for place, name in enumerate(data.columns)}
    if hasattr(data, "__arrow_c_stream__"):
        return _read_arrow(data)
    raise InputError(
        f"a {type(data).__name__} is not a table",
        where="data",
        fix="pass a Parquet or CSV path, a pandas or Polars frame, an Arrow table, or a dict of arrays",
    )


def _profile(columns: Columns, reference: Profile | Layout | None) -> Profile:
    layout = reference.layout if isinstance(reference, Profile) else reference
    return profiles.profile(columns, layout or profiles.fit_layout(columns))


def _array(values: Any) -> npt.NDArray[Any]:
    """Lists with text or gaps become objects: numpy would turn 1 and None beside "a" into text."""
    if isinstance(values, np.ndarray):
        return values
    found = np.asarray(values)
    return np.asarray(values, dtype=object) if found.dtype.kind in "USO" else found


def _read_series(series: Any) -> npt.NDArray[Any]:
    """A pandas column by its own means; its kinds are numpy's letters."""
    kind = getattr(series.dtype, "kind", "O")
    if kind in "biuf":
        return np.asarray(series.to_numpy(dtype="float64", na_value=np.nan))
    if kind in "mM":
        return np.asarray(series.to_numpy(dtype=f"{kind}8[ns]"))
    values = series.to_numpy(dtype=object).copy()
    values[series.isna().to_numpy(dtype=bool)] = None
    return np.asarray(values)


def _read_file(path: Path) -> Columns:
    reader = next((READERS[ending] for ending in READERS if path.name.lower().endswith(ending)), "")
    if not reader:
        raise InputError("this kind of file is not known", where=str(path), fix=did_you_mean(path.suffix, READERS))
    if not path.is_file():
        raise InputError("there is no such file", where=str(path), fix="check the path")
    # Characters that DuckDB takes for patterns stand for themselves in a bracket.
    exact = "".join(f"[{letter}]" if letter in "*?[" else letter for letter in str(path))
    return _query(reader, [exact], str(path))


def _read_arrow(data: Any) -> Columns:
    from arro3.core import Table

    empty: list[str] = []
    if type(data).__module__.partition(".")[0] == "polars":
        # Polars hands over a column without a type in a form that no reader of Arrow takes; it holds nothing anyway.
        empty = [name for name, kind in zip(data.columns, data.dtypes, strict=True) if str(kind) == "Null"]
        data = data.drop(empty)
    found = _query("given", [], "data", given=Table.from_arrow(data))
    return {**found, **{name: np.full(len(next(iter(found.values()), ())), np.nan) for name in empty}}


def _query(source: str, values: list[str], where: str, given: Any = None) -> Columns:
    """Everything of one source, each column cast to a number or to text."""
    import duckdb

    with duckdb.connect(config={"autoinstall_known_extensions": "false"}) as database:
        if given is not None:
            database.register("given", given)
        try:
            # `source` is one of our own words; the path travels as a value.
            described = database.execute(f"DESCRIBE SELECT * FROM {source}", values).fetchall()  # noqa: S608
            cells = [_cast(str(row[0]), str(row[1]).upper(), where) for row in described]
            found = database.execute(f"SELECT {', '.join(cells)} FROM {source}", values).fetchnumpy()  # noqa: S608
        except duckdb.Error as error:
            reason = " ".join(str(error).split("\n\n")[0].splitlines()[:3])
            raise InputError(f"the data cannot be read: {reason}", where=where, fix="check what it holds") from error
    return {str(name): _filled(column) for name, column in found.items()}


def _cast(name: str, kind: str, where: str) -> str:
    quoted = '"' + name.replace('"', '""') + '"'
    if kind == "DATE":
        return f"CAST(epoch_us(CAST({quoted} AS TIMESTAMP)) AS DOUBLE) AS {quoted}"
    if kind.startswith(MOMENTS):
        return f"CAST(epoch_us({quoted}) AS DOUBLE) AS {quoted}"
    if kind == "BOOLEAN":
        # A plain cast would be pushed into the reader of CSV, which cannot read "true" as a number.
        return f"CASE WHEN {quoted} THEN 1.0::DOUBLE WHEN NOT {quoted} THEN 0.0::DOUBLE END AS {quoted}"
    if kind == '"NULL"' or (kind.removeprefix("U").startswith(NUMBERS) and not kind.endswith("]")):
        return f"CAST({quoted} AS DOUBLE) AS {quoted}"
    if kind.startswith(TEXTS) and not kind.endswith("]"):
        return f"CAST({quoted} AS VARCHAR) AS {quoted}"
    raise InputError(
        f"column {name!r} holds {kind.lower()}", where=where, fix="leave it out, or make its parts columns of their own"
    )


def _filled(column: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Masked entries as NaN or None; what lies under a mask is arbitrary."""
    if not isinstance(column, np.ma.MaskedArray):
        return column
    values = np.array(column.data)
    values[np.ma.getmaskarray(column)] = np.nan if values.dtype.kind == "f" else None
    return values
