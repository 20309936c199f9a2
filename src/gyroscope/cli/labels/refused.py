"""`gyro labels refused`: the newest labels that could not be kept, with their rows and the reasons.

Reads the store of labels itself, so that it needs no running house.
"""

from __future__ import annotations

from typing import Annotated

import typer

from gyroscope.cli.options import JsonOption, ModelArgument, SettingsOption, settings_path
from gyroscope.cli.output import print_json, print_table, say


def refused(
    model: ModelArgument,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000_000, help="how many to show")] = 20,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """List refused labels, the newest first. Exit code 1: there are some."""
    from gyroscope.assembly import House

    house = House(settings_path(settings))
    house.signature_of(model)
    found = house.labels.refused(model, limit)
    if as_json:
        print_json([{"row": row, "label": text, "reason": reason} for row, text, reason in found])
    elif found:
        print_table(("row", "reason", "label"), [(row, reason, text[:80]) for row, text, reason in found])
    else:
        say("no label was refused")
    if found:
        raise typer.Exit(1)
