"""`gyro predictions query`: one SELECT over a model's log, read-only.

The query sees the views `predictions` and `attempts` and nothing else: no file, no network.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from gyroscope.cli.options import SettingsOption, settings_path
from gyroscope.cli.output import print_table
from gyroscope.errors import GyroscopeError, InputError, did_you_mean

if TYPE_CHECKING:
    from gyroscope.assembly import House
    from gyroscope.predictions.reading.selection import Rows

Format = Literal["table", "csv", "json", "parquet"]
SUFFIXES = {"csv": ".csv", "json": ".jsonl", "parquet": ".parquet"}


def query(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="SELECT ... FROM predictions, or FROM attempts")],
    model: Annotated[str, typer.Option("--model", help="whose predictions; not needed where there is one model")] = "",
    first_day: Annotated[str, typer.Option("--first-day", help="leave out earlier days, such as 2026-03-01")] = "",
    last_day: Annotated[str, typer.Option("--last-day", help="leave out later days")] = "9999-12-31",
    labels: Annotated[bool, typer.Option("--labels", help="with a column label: the known outcomes")] = False,
    form: Annotated[Format, typer.Option("--format", help="how to print it; parquet needs -o")] = "table",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="a new file: .csv, .jsonl or .parquet")] = None,
    settings: SettingsOption = None,
) -> None:
    """Ask the predictions of a model in SQL (DuckDB's)."""
    from gyroscope.assembly import House
    from gyroscope.assembly.reading import selection_of_days
    from gyroscope.predictions.reading.export import export_stream

    house = House(settings_path(settings))
    chosen = selection_of_days(house, _model(house, model), first_day, last_day, labels=labels)
    rows = chosen.sql(sql)
    if output is not None:
        export_stream(rows.stream(), output)
    elif form == "table":
        _print(rows)
    else:
        _pour(rows, form)


def _model(house: House, given: str) -> str:
    known = house.models.models()
    if given in known or (not given and len(known) == 1):
        return given or known[0]
    if not known:
        raise GyroscopeError("there are no models yet", where=str(house.home), fix="gyro models add")
    if not given:
        raise InputError("which model?", where="--model", fix=f"one of {', '.join(known)}")
    raise InputError(f"no model is called {given!r}", where="--model", fix=did_you_mean(given, known))


def _print(rows: Rows) -> None:
    table = rows.arrow()
    columns = [table.column(name).to_pylist() for name in table.column_names]
    print_table(table.column_names, [tuple(map(_cell, row)) for row in zip(*columns, strict=True)])


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.10g}"
    return "" if value is None else str(value)


def _pour(rows: Rows, form: str) -> None:
    """Onto stdout, by way of a file: whatever writes the file writes the same here."""
    import shutil
    import sys
    import tempfile

    from gyroscope.predictions.reading.export import export_stream

    if form == "parquet":
        raise InputError("parquet is not for the screen", where="--format", fix="name a file: -o rows.parquet")
    with tempfile.TemporaryDirectory(prefix="gyroscope-query-") as folder:
        target = Path(folder) / f"rows{SUFFIXES[form]}"
        export_stream(rows.stream(), target)
        with target.open("rb") as lines:
            shutil.copyfileobj(lines, sys.stdout.buffer)
        sys.stdout.buffer.flush()
