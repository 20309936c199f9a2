"""SQL over the rows of one model, by DuckDB: reading only, and nothing but these rows.

Two views: `attempts` holds every row there is, `predictions` the one answer to each request. The library, the command
line and the API ask here. A query sees no other file, no network and no variable of ours; it changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
from duckdb import StatementType

from gyroscope.errors import InputError, StoreError, did_you_mean
from gyroscope.predictions.tables.table import Table, TableFile

# What a column of the table is called in SQL.
KINDS = {
    "string": "VARCHAR",
    "long": "BIGINT",
    "integer": "INTEGER",
    "short": "SMALLINT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMPTZ",
}
# Columns that tables of format 1 do not have, and what every row of such a table would say.
LATER = {"variant": ("VARCHAR", "'live'"), "weight": ("INTEGER", "1")}
ANSWER = "answered AND variant <> 'shadow'"
PLAN_TYPES = (StatementType.SELECT, StatementType.EXPLAIN)

# In this order: the last one makes the others final.
CLOSED = (
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET python_enable_replacements = false",
    "SET temp_directory = ''",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


def files_of(table: Table, first_day: str = "", last_day: str = "9999-12-31") -> list[TableFile]:
    """The files of these days, both included; none where nothing was asked then.

    Raises `StoreError` when there are no predictions of any day.
    """
    every = table.files()
    if not every:
        raise StoreError(
            "there are no predictions yet",
            where=str(table.path),
            fix="ask the model; what was just answered is in the table a second later",
        )
    return [file for file in every if first_day <= file.day <= last_day]


def attempts_sql(table: Table, files: Sequence[TableFile], where: str = "true") -> str:
    """A SELECT of every column of every row in these files; a column that a file does not have is missing there.

    `where` is SQL of ours, never of a user.
    """
    kinds = table.kinds()
    typed = {name: KINDS.get(kind, "VARCHAR") for name, kind in kinds.items()} | {
        name: kind for name, (kind, _) in LATER.items() if name not in kinds
    }
    shape = ", ".join(f"NULL::{kind} AS {quoted(name)}" for name, kind in typed.items())
    columns = ", ".join(_with_default(name) for name in typed)
    listed = ", ".join(literal(file.path) for file in files)
    rows = f"read_parquet([{listed}], union_by_name=true, hive_partitioning=true, hive_types={{'day': VARCHAR}})"
    # The empty half says which columns there are, whichever files are read.
    empty = f"SELECT {shape} WHERE false"
    both = f"SELECT * FROM {rows} UNION ALL BY NAME {empty}" if files else empty  # noqa: S608  # quoted above
    return f"SELECT {columns} FROM ({both}) WHERE {where}"  # noqa: S608  # as above


def connect(table: Table, attempts: str, labels: Any = None) -> duckdb.DuckDBPyConnection:
    """A connection with the views and nothing else; `labels` (request_id, row, label) become a column `label`."""
    connection = duckdb.connect(config={"threads": 1})
    with errors_named(str(table.path)):
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"SET allowed_directories = [{literal(str(table.path.absolute()))}]")
        connection.execute(f"CREATE VIEW attempts AS {attempts}")
        answers = f"SELECT * FROM attempts WHERE {ANSWER}"  # noqa: S608  # fixed text
        if labels is not None:
            connection.register("labels", labels)
            answers = f"SELECT p.*, l.label FROM ({answers}) p LEFT JOIN labels l USING (request_id, row)"  # noqa: S608
        connection.execute(f"CREATE VIEW predictions AS {answers}")
        for setting in CLOSED:
            connection.execute(setting)
    return connection


def check_query(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    """Raise `InputError` for anything but one SELECT."""
    with errors_named("the query"):
        statements = connection.extract_statements(query)
    if len(statements) != 1 or statements[0].type not in PLAN_TYPES:
        raise InputError(
            "only one SELECT can be asked", where="the query", fix="SELECT ... FROM predictions, or FROM attempts"
        )


@contextmanager
def errors_named(where: str) -> Iterator[None]:
    """What DuckDB complains about, as an error of ours."""
    try:
        yield
    except duckdb.Error as error:
        # The first paragraph says what, the lines after it point into the query.
        said = " ".join(str(error).split("\n\n")[0].split())
        raise InputError(f"the query cannot be run: {said}", where=where, fix="see docs/predictions.md") from error


def check_columns(table: Table, names: Sequence[str]) -> None:
    """Raise `InputError` for the first name that is no column."""
    known = [*table.kinds(), *(name for name in LATER if name not in table.kinds())]
    for name in names:
        if name not in known:
            raise InputError(f"there is no column {name!r}", where="columns", fix=did_you_mean(name, known))


def quoted(name: str) -> str:
    """A name in SQL.

    >>> quoted('a "b"')
    '"a ""b\"""'
    """
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text in SQL.

    >>> literal("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def _with_default(name: str) -> str:
    if name in LATER:
        return f"coalesce({quoted(name)}, {LATER[name][1]}) AS {quoted(name)}"
    return quoted(name)
