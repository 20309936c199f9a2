"""`gyro predictions export`: predictions of some days into one CSV, Parquet or JSON-lines file.

Rows go from file to file and never all through memory; the new file appears whole or not at all.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from gyroscope.cli.options import JsonOption, ModelArgument, SettingsOption, settings_path
from gyroscope.cli.output import print_json, say
from gyroscope.cli.progress import Move, progress

WHOLE = 1_000


def export(
    model: ModelArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="the file: .csv, .parquet or .jsonl")],
    first_day: Annotated[str, typer.Option("--first-day", help="leave out earlier days, such as 2026-03-01")] = "",
    last_day: Annotated[str, typer.Option("--last-day", help="leave out later days")] = "9999-12-31",
    columns: Annotated[str, typer.Option("--columns", help="names with commas between them; else all")] = "",
    attempts: Annotated[bool, typer.Option("--attempts", help="earlier tries and shadows too")] = False,
    force: Annotated[bool, typer.Option("--force", help="replace the file if it is there")] = False,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write predictions into a file. In CSV a text that a spreadsheet would run begins with an apostrophe."""
    import duckdb

    from gyroscope.assembly import House
    from gyroscope.predictions.reading.export import export as write
    from gyroscope.predictions.reading.query import ANSWER, attempts_sql, check_columns, files_of, quoted

    house = House(settings_path(settings))
    house.signature_of(model)
    table = house.table(model)
    files = files_of(table, first_day, last_day)
    names = [name.strip() for name in columns.split(",") if name.strip()]
    check_columns(table, names)
    chosen = ", ".join(map(quoted, names)) or "*"
    query = f"SELECT {chosen} FROM ({attempts_sql(table, files, 'true' if attempts else ANSWER)})"  # noqa: S608
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        with progress("writing") as move:
            tell = partial(_tell, move)
            rows = write(connection, query, output, is_replacing=force, progress=tell)
    if as_json:
        print_json({"rows": rows, "file": output})
    else:
        say(f"{rows:,} rows in {output}")


def _tell(move: Move, share: float) -> None:
    move(round(share * WHOLE), WHOLE, "")
