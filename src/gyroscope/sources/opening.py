"""From whatever people call a table to blocks of rows: files by their ending, folders, frames, Arrow data, arrays.

The notebook and the command line come through here. Nothing is read before the first block is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gyroscope.errors import InputError, did_you_mean
from gyroscope.sources import files
from gyroscope.sources.blocks import Block, Table, array_blocks, arrow_blocks

READERS: dict[str, Callable[[Path], Iterator[Block]]] = {
    ".parquet": files.parquet,
    ".pq": files.parquet,
    ".csv": files.csv,
    ".tsv": files.csv,
    ".csv.gz": files.csv,
    ".arrow": files.arrow,
    ".feather": files.arrow,
    ".arrows": files.arrow_stream,
}
"""How a file's name ends -> who reads it."""


def open_table(data: Any) -> Table:
    """Make a table of a path, mapping of arrays, pandas or Polars frame, or anything with Arrow columns.

    A folder is a Delta table, or holds Parquet files that are read in the order of their names.

    Raises `InputError` when it is none of these.
    """
    if isinstance(data, str | os.PathLike):
        return _open_path(Path(data))
    arrays = arrays_of(data)
    if arrays is not None:
        return Table("data", lambda: array_blocks(arrays))
    if type(data).__module__.partition(".")[0] == "polars" and hasattr(data, "dtypes"):
        return _open_polars(data)
    if hasattr(data, "__arrow_c_stream__"):
        # A table can be asked again, a reader has then nothing left.
        return Table("data", lambda: arrow_blocks(data, "data"), is_once=not hasattr(data, "num_rows"))
    raise InputError(
        f"a {type(data).__name__} is not a table",
        where="data",
        fix="pass a path, a pandas or Polars frame, an Arrow table, or a dict of arrays",
    )


def arrays_of(data: Any) -> dict[str, npt.NDArray[Any]] | None:
    """The columns of a mapping of arrays or a pandas frame; None for anything else."""
    if isinstance(data, Mapping):
        return {str(name): _array(values) for name, values in data.items()}
    if type(data).__module__.partition(".")[0] == "pandas" and hasattr(data, "columns"):
        return {str(name): _series(data.iloc[:, place]) for place, name in enumerate(data.columns)}
    return None


def _open_path(path: Path) -> Table:
    if (path / "_delta_log").is_dir():
        return Table(str(path), lambda: files.delta(path))
    if path.is_dir():
        parts = sorted(part for part in path.iterdir() if part.suffix in (".parquet", ".pq"))
        if not parts:
            raise InputError("this folder holds no Parquet file", where=str(path), fix="name a file or a Delta table")
        return Table(str(path), lambda: (block for part in parts for block in files.parquet(part)), parts=tuple(parts))
    reader = next((READERS[ending] for ending in READERS if path.name.lower().endswith(ending)), None)
    if reader is None:
        raise InputError("this kind of file is not known", where=str(path), fix=did_you_mean(path.suffix, READERS))
    if not path.is_file():
        raise InputError("there is no such file", where=str(path), fix="check the path")
    return Table(str(path), lambda: reader(path), parts=(path,))


def _open_polars(frame: Any) -> Table:
    # Polars hands over a column without a type in a form that no reader of Arrow takes; it holds nothing anyway.
    empty = [name for name, kind in zip(frame.columns, frame.dtypes, strict=True) if str(kind) == "Null"]
    if not empty:
        return Table("data", lambda: arrow_blocks(frame, "data"))
    numbers = {name: np.full(len(frame), np.nan) for name in empty}
    others = frame.drop(empty)
    return Table(
        "data", lambda: _beside(arrow_blocks(others, "data"), numbers) if others.columns else array_blocks(numbers)
    )


def _beside(blocks: Iterator[Block], constant: Mapping[str, npt.NDArray[Any]]) -> Iterator[Block]:
    for block in blocks:
        more = {name: values[: block.rows] for name, values in constant.items()}
        yield Block(block.rows, {**block.columns, **more}, block.unreadable)


def _array(values: Any) -> npt.NDArray[Any]:
    """Lists with text or gaps become objects: numpy would turn 1 and None beside "a" into text."""
    if isinstance(values, np.ndarray):
        return values
    found = np.asarray(values)
    return np.asarray(values, dtype=object) if found.dtype.kind in "USO" else found


def _series(series: Any) -> npt.NDArray[Any]:
    """A pandas column by its own means; its kinds are numpy's letters."""
    kind = getattr(series.dtype, "kind", "O")
    if kind in "biuf":
        return np.asarray(series.to_numpy(dtype="float64", na_value=np.nan))
    if kind in "mM":
        return np.asarray(series.to_numpy(dtype=f"{kind}8[ns]"))
    values = series.to_numpy(dtype=object).copy()
    values[series.isna().to_numpy(dtype=bool)] = None
    return np.asarray(values)
