"""`gyro profile`: what a table of rows looks like, as a small mergeable summary.

`gyro compare` takes the file it writes in place of the rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gyroscope.cli.options import JsonOption
from gyroscope.cli.output import print_json, say
from gyroscope.errors import InputError, did_you_mean

PROFILE_SUFFIX = ".profile"
ENGINES = ("local", "ray")


def profile(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Parquet, CSV or Arrow file, Delta table or folder")],
    output: Annotated[Path, typer.Option("--output", "-o", help="the .profile file to write")] = Path(
        "reference.profile"
    ),
    engine: Annotated[str, typer.Option("--engine", help="who counts: local, or ray, a task per file")] = "local",
    as_json: JsonOption = False,
) -> None:
    """Profile a table of rows."""
    import gyroscope

    if output.suffix != PROFILE_SUFFIX:
        raise InputError(
            f"{output.name} would not be known as a profile", where="--output", fix=f"{output.stem}{PROFILE_SUFFIX}"
        )
    if engine not in ENGINES:
        raise InputError("this engine is not known", where=f"--engine {engine}", fix=did_you_mean(engine, ENGINES))
    found = gyroscope.profile(data, engine=engine)
    content = found.to_bytes()
    output.write_bytes(content)
    if as_json:
        print_json({"written": output, "rows": found.n, "columns": list(found.columns), "bytes": len(content)})
    else:
        say(f"wrote {output}: {found.n} rows, {len(found.columns)} columns, {len(content)} bytes")
