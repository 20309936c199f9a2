"""Rows of the log into one file: CSV, Parquet or JSON lines, streamed by DuckDB from file to file.

The command line calls this. The file appears whole, by a rename, or not at all. Spreadsheets run what looks like a
formula, so in CSV a text that could be one is made harmless.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb

from gyroscope.errors import InputError, StoreError, did_you_mean
from gyroscope.predictions.reading.query import errors_named, literal, quoted

# A cell that begins with one of these is a formula to Excel, LibreOffice and Sheets, or becomes one when it is pasted.
FORMULA = "^[=+\\-@\\t\\r\\n]"
PROGRESS_S = 0.25

FORMATS = {
    ".csv": "FORMAT csv, HEADER",
    ".parquet": "FORMAT parquet, COMPRESSION zstd",
    ".jsonl": "FORMAT json",
}
"""How a file's name ends -> how DuckDB writes it."""

Progress = Callable[[float], None]
"""Told the share that is done, from 0 to 1, now and then."""


def export(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    target: Path,
    *,
    is_replacing: bool = False,
    progress: Progress | None = None,
) -> int:
    """Write the rows of a query of ours; returns how many. `connection` must be one that may write files.

    Raises `InputError` for an unknown kind of file, `StoreError` when the file is there already or cannot be written.
    """
    fresh = _place(target, is_replacing)
    try:
        with errors_named(str(target)):
            described = connection.execute(f"DESCRIBE {query}").fetchall()
            copy = _copy_sql(query, [(row[0], row[1]) for row in described], target.suffix.lower(), fresh)
            rows = _run(connection, copy, progress)
        fresh.replace(target)
    except (OSError, InputError) as error:
        raise StoreError(f"the file cannot be written: {error}", where=str(target), fix="make room there") from error
    finally:
        fresh.unlink(missing_ok=True)
    return rows


def export_stream(rows: Any, target: Path, *, is_replacing: bool = False) -> int:
    """As `export`, for anything that Arrow streams: the answer to a user's query."""
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("given", rows)
        return export(connection, "SELECT * FROM given", target, is_replacing=is_replacing)


def _place(target: Path, is_replacing: bool) -> Path:
    """Where to write first: beside the target, so that the rename stays on one file system."""
    if target.suffix.lower() not in FORMATS:
        raise InputError(
            f"{target.name!r} says no known kind of file", where="-o", fix=did_you_mean(target.suffix, FORMATS)
        )
    if target.exists() and not is_replacing:
        raise StoreError("this file is there already", where=str(target), fix="choose another name, or add --force")
    if not target.absolute().parent.is_dir():
        raise StoreError("there is no such folder", where=str(target.parent), fix="make it first")
    return target.with_name(f".{target.name}.{secrets.token_hex(6)}")


def _copy_sql(query: str, columns: Sequence[tuple[str, str]], suffix: str, fresh: Path) -> str:
    options = FORMATS[suffix]
    if suffix != ".parquet":
        # Times as this house reads them back, not as DuckDB prints them.
        chosen = ", ".join(_as_text(name, kind, is_csv=suffix == ".csv") for name, kind in columns)
        query = f"SELECT {chosen} FROM ({query})"  # noqa: S608  # names are quoted
    if suffix == ".csv":
        texts = ", ".join(quoted(_harmless(name)) for name, kind in columns if kind == "VARCHAR")
        options += f", FORCE_QUOTE ({texts})" if texts else ""
    return f"COPY ({query}) TO {literal(str(fresh))} ({options})"


def _as_text(name: str, kind: str, *, is_csv: bool) -> str:
    column, alias = quoted(name), quoted(_harmless(name) if is_csv else name)
    if kind.startswith("TIMESTAMP"):
        return f"strftime({column}, '%Y-%m-%dT%H:%M:%S.%f+00:00') AS {alias}"
    if is_csv and kind == "VARCHAR":
        return f"CASE WHEN regexp_matches({column}, '{FORMULA}') THEN '''' || {column} ELSE {column} END AS {alias}"
    return f"{column} AS {alias}"


def _harmless(name: str) -> str:
    """A header is a cell too."""
    return f"'{name}" if name[:1] in "=+-@\t\r\n" else name


def _run(connection: duckdb.DuckDBPyConnection, copy: str, progress: Progress | None) -> int:
    if progress is None:
        return int(connection.execute(copy).fetchall()[0][0])
    connection.execute("SET enable_progress_bar = true; SET enable_progress_bar_print = false")
    done = threading.Event()

    def watch() -> None:
        while not done.wait(PROGRESS_S):
            progress(max(0.0, connection.query_progress() / 100))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        return int(connection.execute(copy).fetchall()[0][0])
    finally:
        done.set()
        watcher.join()
        progress(1.0)
