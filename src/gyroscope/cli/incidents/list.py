"""`gyro incidents list`: what stands, the most harmful first; with `--all` also what is over.

Reads the store alone; nothing needs to run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gyroscope.cli.options import JsonOption, SettingsOption, settings_path
from gyroscope.cli.output import print_json, print_table, say
from gyroscope.clock import day_of

if TYPE_CHECKING:
    from gyroscope.alerts import Incident


def list_incidents(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="one model; else all", show_default=False)] = "",
    is_all: Annotated[bool, typer.Option("--all", help="closed ones and noise too")] = False,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """List incidents. Exit code 1: one that pages is standing."""
    from gyroscope.assembly import House

    house = House(settings_path(settings))
    if model:
        house.signature_of(model)
    found = [one for one in house.incidents.all(model) if is_all or one.is_standing]
    zone = house.settings.monitoring.timezone
    if as_json:
        print_json(found)
    elif found:
        print_table(("incident", "state", "since", "harm", "what"), [_row(one, zone) for one in found])
    else:
        say("no incident stands")
    if any(one.pages and one.is_standing for one in found):
        raise typer.Exit(1)


def _row(one: Incident, zone: str) -> tuple[str, ...]:
    from gyroscope.alerts.words import harm_text

    state = one.state if one.pages else f"{one.state}, information"
    return (one.id, state, day_of(one.since, zone), harm_text(one), f"{one.title} - {one.why}")
