"""`gyro predictions add`: what a model that is served elsewhere answered, out of a CSV, Parquet or JSON-lines file.

Adding the same file again, also after a crash in the middle, doubles nothing: a request id is recorded once.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from gyroscope.cli.options import JsonOption, SettingsOption, settings_path
from gyroscope.cli.output import print_json, say, warn
from gyroscope.cli.progress import progress
from gyroscope.clock import wall_now
from gyroscope.errors import InputError

SHOWN = 20
WHOLE = 1_000
KEPT_REFUSALS = 100_000


def add(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=".csv, .parquet or .jsonl, one prediction a row")],
    model: Annotated[str, typer.Option("--model", help="the model that answered")],
    version: Annotated[str, typer.Option("--version", help="its version, by id or by its name elsewhere")] = "",
    maps: Annotated[
        list[str] | None,
        typer.Option("--map", help="what=column: request_id=id,output_0=score; else columns are found by name"),
    ] = None,
    event_time_column: Annotated[
        str, typer.Option("--event-time-column", help="when each row happened; else now")
    ] = "",
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add predictions. Exit code 1: some rows were refused, each named with its line; the others are kept."""
    from gyroscope.assembly import House
    from gyroscope.assembly.ingest import ingesting, version_for
    from gyroscope.predictions.ingest.row_files import read_portions

    house = House(settings_path(settings))
    meant = version_for(house, model, version)
    plan, portions = read_portions(file, meant.signature, _mapping(maps or [], event_time_column))
    counts: Counter[str] = Counter()
    refused: list[tuple[int, str]] = []
    logged = ""
    with progress("adding") as move, ingesting(house, meant) as ingest:
        for portion in portions:
            done = ingest.add(portion.given, wall_now())
            faults = portion.refused + [(portion.lines[row], reason) for row, reason in done.refused]
            counts.update(received=len(portion.lines) + len(portion.refused), written=done.written, refused=len(faults))
            refused += sorted(faults)[: KEPT_REFUSALS - len(refused)]
            logged = done.logged
            move(round(portion.done * WHOLE), WHOLE, "")
    if as_json:
        lines = [{"line": line, "reason": reason} for line, reason in refused]
        print_json({**_three(counts), "logged": logged, "left_out": plan.unknown, "refused_lines": lines})
    else:
        _tell(file, counts, refused, plan.unknown)
    if refused:
        raise typer.Exit(1)


def _mapping(maps: list[str], event_time_column: str) -> dict[str, str]:
    mapping = {"event_time": event_time_column} if event_time_column else {}
    for word in (word for words in maps for word in words.split(",") if word):
        target, equals, column = word.partition("=")
        if not (target and equals and column):
            raise InputError(f"{word!r} maps nothing", where="--map", fix="write what=column, such as output_0=score")
        mapping[target.strip()] = column.strip()
    return mapping


def _tell(file: Path, counts: Counter[str], refused: list[tuple[int, str]], unknown: list[str]) -> None:
    say(", ".join(f"{count:,} {name}" for name, count in _three(counts).items()))
    if unknown:
        say(f"left out, since the signature does not name them: {', '.join(unknown)}")
    for line, reason in refused[:SHOWN]:
        warn(f"{file}:{line}: {reason}")
    if counts["refused"] > SHOWN:
        warn(f"and {counts['refused'] - SHOWN:,} more; --json lists them")


def _three(counts: Counter[str]) -> dict[str, int]:
    return {name: counts[name] for name in ("received", "written", "refused")}
