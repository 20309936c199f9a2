"""Readers of files: Parquet and Arrow by arrow-rs, CSV by DuckDB, Delta Lake by its own library. All of them stream.

`opening.py` picks one by a file's ending. Libraries are imported when the first file of their kind is read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gyroscope.errors import InputError
from gyroscope.sources.blocks import BLOCK_ROWS, Block, arrow_blocks

_PARQUET = b"PAR1"
_MOMENTS = ("TIMESTAMP", "TIME", "INTERVAL", "DATE")


def parquet(path: Path) -> Iterator[Block]:
    """A Parquet file, row group by row group."""
    from arro3.io import read_parquet

    with path.open("rb") as file:
        is_whole = file.read(4) == _PARQUET and file.seek(-4, os.SEEK_END) >= 0 and file.read(4) == _PARQUET
    if not is_whole:
        raise _unreadable(ValueError("it does not begin and end as Parquet does"), path)
    return _arrow_rs(path, lambda file: read_parquet(file, batch_size=BLOCK_ROWS))


def arrow(path: Path) -> Iterator[Block]:
    """An Arrow file with its footer (Feather version 2)."""
    from arro3.io import read_ipc

    return _arrow_rs(path, read_ipc)


def arrow_stream(path: Path) -> Iterator[Block]:
    """An Arrow stream that was written to a file."""
    from arro3.io import read_ipc_stream

    return _arrow_rs(path, read_ipc_stream)


def delta(path: Path) -> Iterator[Block]:
    """A Delta Lake table as it is now."""
    from deltalake import DeltaTable, QueryBuilder
    from deltalake.exceptions import DeltaError

    try:
        found = QueryBuilder().register("given", DeltaTable(path)).execute("SELECT * FROM given")
    except DeltaError as error:
        raise _unreadable(error, path) from error
    return arrow_blocks(found, str(path))


def csv(path: Path) -> Iterator[Block]:
    """A CSV file. Every row is looked at before types are chosen: text in row 30,000 makes a column of text."""
    import duckdb

    # Characters that DuckDB takes for patterns stand for themselves in a bracket.
    exact = "".join(f"[{letter}]" if letter in "*?[" else letter for letter in str(path))
    with duckdb.connect(config={"autoinstall_known_extensions": "false", "threads": "2"}) as database:
        try:
            rows = database.read_csv(exact, sample_size=-1)
            cells = [_cell(name, str(kind)) for name, kind in zip(rows.columns, rows.types, strict=True)]
            yield from arrow_blocks(rows.project(", ".join(cells)), str(path))
        except duckdb.Error as error:
            raise _unreadable(error, path) from error


def _cell(name: str, kind: str) -> str:
    quoted = '"' + name.replace('"', '""') + '"'
    if kind.startswith(_MOMENTS):
        moment = f"CAST({quoted} AS TIMESTAMP)" if kind == "DATE" else quoted
        return f"CAST(epoch_us({moment}) AS DOUBLE) AS {quoted}"
    return quoted


def _arrow_rs(path: Path, read: Callable[[Path], Any]) -> Iterator[Block]:
    try:
        found = read(path)
    except BaseException as error:  # arrow-rs panics where the end of a file is damaged, which is no Exception
        if isinstance(error, KeyboardInterrupt):
            raise
        raise _unreadable(error, path) from error
    return arrow_blocks(found, str(path))


def _unreadable(error: BaseException, path: Path) -> InputError:
    reason = " ".join(str(error).split("\n\n")[0].splitlines()[:3])
    return InputError(f"the data cannot be read: {reason}", where=str(path), fix="check what it holds")
