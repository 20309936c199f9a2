"""`gyro labels add`: send outcomes from a CSV, Parquet or JSON-lines file to a running house.

Sending the same file twice is harmless: a label that is there already is counted as a duplicate.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from gyroscope.cli.options import JsonOption, SettingsOption, settings_path
from gyroscope.cli.output import print_json, say, warn
from gyroscope.cli.progress import progress

LABELS_A_REQUEST = 5_000
TRIES = 5
SHOWN = 20
WHOLE = 1_000
KEPT_REFUSALS = 100_000


def add(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help=".csv, .parquet or .jsonl with value and request_id or entity_key; perhaps row, labeled_at, version,"
            " event_time",
        ),
    ],
    model: Annotated[str, typer.Option("--model", help="the model that was asked")],
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add labels. Exit code 1: some were refused, each named with its line; the others are kept."""
    from gyroscope.assembly import House
    from gyroscope.assembly.lifecycle import address
    from gyroscope.cli.client import Client
    from gyroscope.predictions.labels.files import read_portions

    house = House(settings_path(settings))
    client = Client(address(house), house.keys.api_key_path)
    counts: Counter[str] = Counter()
    refused: list[dict[str, Any]] = []
    with progress("adding") as move:
        for portion in read_portions(file, most=LABELS_A_REQUEST):
            body = {"model": model, "labels": portion.labels, "numbers": portion.lines}
            report = client.post("/v1/labels", body, tries=TRIES).body
            counts.update({state: count for state, count in report.items() if isinstance(count, int)})
            counts["refused"] += len(report["refused"])
            faults = [{"line": one["row"], "reason": one["reason"]} for one in report["refused"]]
            refused += faults[: KEPT_REFUSALS - len(refused)]
            move(round(portion.done * WHOLE), WHOLE, "")
    if as_json:
        print_json({**counts, "refused": refused})
    else:
        _tell(file, counts, refused)
    if refused:
        raise typer.Exit(1)


def _tell(file: Path, counts: Counter[str], refused: list[dict[str, Any]]) -> None:
    states = ("received", "joined", "pending", "quarantined", "duplicate", "superseded", "refused")
    say(", ".join(f"{counts[state]:,} {state}" for state in states))
    for one in refused[:SHOWN]:
        warn(f"{file}:{one['line']}: {one['reason']}")
    if counts["refused"] > SHOWN:
        warn(f"and {counts['refused'] - SHOWN:,} more; --json lists them")
