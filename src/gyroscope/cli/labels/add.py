"""`gyro labels add`: send outcomes from a CSV file to a running house.

Sending the same file twice is harmless: a label that is there already is counted as a duplicate.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from gyroscope.cli.options import JsonOption, SettingsOption, settings_path
from gyroscope.cli.output import print_json, say, warn
from gyroscope.errors import LabelError, did_you_mean

COLUMNS = ("request_id", "value", "row", "labeled_at", "version")
LABELS_A_REQUEST = 1_000
TRIES = 5
SHOWN = 20


def add(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV with request_id, value and perhaps row, labeled_at, version")
    ],
    model: Annotated[str, typer.Option("--model", help="the model that was asked")],
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add labels. Exit code 1: some were refused, each named with its line; the others are kept."""
    from gyroscope.assembly import House
    from gyroscope.assembly.lifecycle import address
    from gyroscope.cli.client import Client

    house = House(settings_path(settings))
    client = Client(address(house), house.keys.api_key_path)
    counts: dict[str, int] = {}
    refused: list[dict[str, Any]] = []
    for lines, labels in _batches(file):
        report = client.post("/v1/labels", {"model": model, "labels": labels}, tries=TRIES).body
        for state, count in report.items():
            if isinstance(count, int):
                counts[state] = counts.get(state, 0) + count
        refused += [{"line": lines[one["row"]], "reason": one["reason"]} for one in report.get("refused", [])]
    if as_json:
        print_json({**counts, "refused": refused})
    else:
        say(", ".join(f"{count} {state}" for state, count in counts.items()) + f", {len(refused)} refused")
        for one in refused[:SHOWN]:
            warn(f"{file}:{one['line']}: {one['reason']}")
        if len(refused) > SHOWN:
            warn(f"and {len(refused) - SHOWN} more; --json lists them all")
    if refused:
        raise typer.Exit(1)


def _batches(file: Path) -> Iterator[tuple[list[int], list[dict[str, Any]]]]:
    """Labels in portions, with the line of the file that each ends on."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            _check_header(reader.fieldnames or [], file)
            numbered = ((reader.line_num, row) for row in reader)
            while portion := list(islice(numbered, LABELS_A_REQUEST)):
                yield [line for line, _ in portion], [_label(row, f"{file}:{line}") for line, row in portion]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LabelError(f"the file cannot be read: {error}", where=str(file), fix="a CSV file in UTF-8") from error


def _check_header(header: Any, file: Path) -> None:
    for name in ("request_id", "value"):
        if name not in header:
            raise LabelError(
                f"there is no column {name!r}", where=f"{file}:1", fix=f"the columns are {', '.join(COLUMNS)}"
            )
    for name in header:
        if name not in COLUMNS:
            raise LabelError(
                f"no column of labels is called {name!r}", where=f"{file}:1", fix=did_you_mean(str(name), COLUMNS)
            )


def _label(row: dict[str, Any], where: str) -> dict[str, Any]:
    """A line as the API wants it; empty cells are left out. What a value may be is the server's to say."""
    cells = {name: text for name, text in row.items() if text not in ("", None)}
    if None in row:
        raise LabelError("this line has more cells than the header", where=where, fix="quote texts that hold a comma")
    label: dict[str, Any] = {"request_id": cells.get("request_id", ""), "value": _value(cells.get("value", ""))}
    for name in ("row", "version"):
        if name in cells:
            label[name] = _whole(cells[name])
    if "labeled_at" in cells:
        label["labeled_at"] = cells["labeled_at"]
    return label


def _value(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _whole(text: str) -> int | str:
    """What is no whole number goes as it is: the server refuses that label alone, counts it and says why."""
    try:
        return int(text)
    except ValueError:
        return text
