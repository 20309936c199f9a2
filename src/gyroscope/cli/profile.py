"""`gyro profile`: what a table of rows looks like, as a small mergeable summary.

`gyro compare` takes the file it writes in place of the rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gyroscope.cli.options import JsonOption


def profile(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Parquet or CSV file")],
    output: Annotated[Path, typer.Option("--output", "-o", help="the file to write")] = Path("reference.profile"),
    as_json: JsonOption = False,
) -> None:
    """Profile a table of rows."""
    raise typer.Exit(0)
