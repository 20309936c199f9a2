"""`gyro labels counts`: how many labels of a model are in each state, now or as it was at an earlier moment.

Reads the store of labels itself, so that it needs no running house.
"""

from __future__ import annotations

from typing import Annotated

import typer

from gyroscope.cli.options import JsonOption, ModelArgument, SettingsOption, settings_path
from gyroscope.cli.output import print_json, print_table
from gyroscope.clock import parse_event_time
from gyroscope.errors import InputError


def counts(
    model: ModelArgument,
    as_of: Annotated[
        str, typer.Option("--as-of", metavar="TIME", help="what was believed then; ISO 8601 or seconds since 1970")
    ] = "",
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count the labels by state; the states add up to all that was received."""
    from gyroscope.assembly import House

    house = House(settings_path(settings))
    house.signature_of(model)
    try:
        then = parse_event_time(as_of) if as_of else None
    except ValueError as error:
        raise InputError(str(error), where="--as-of", fix="such as 2026-04-01T12:00:00Z") from error
    found = house.labels.counts(model, as_of=then)
    if as_json:
        print_json({"received": sum(found.values()), **found})
    else:
        rows = {"received": sum(found.values()), **found}
        print_table(("state", "labels"), [(state, f"{count:,}") for state, count in rows.items()])
