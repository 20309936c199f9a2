"""`gyro predictions verify`: is everything that was written still what was written?

Works while the house runs, and without it. Exit code 1 when anything is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gyroscope.cli.options import JsonOption, SettingsOption, settings_path
from gyroscope.cli.output import print_json, print_table, say
from gyroscope.cli.progress import progress

if TYPE_CHECKING:
    from gyroscope.assembly.verifying import Verified

SHOWN = 50


def verify(
    model: Annotated[str, typer.Argument(metavar="[MODEL]", help="the model's name; without it, all")] = "",
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check checksums and sequences of segments, every file of the tables, the index, the labels and the models."""
    from gyroscope.assembly import House
    from gyroscope.assembly.verifying import verify_home

    house = House(settings_path(settings))
    with progress("looking") as move:
        found = verify_home(house.home, house.runtime, (model,) if model else (), move)
    show(found, as_json=as_json)
    if not found.is_well:
        raise typer.Exit(1)


def show(found: Verified, *, as_json: bool) -> None:
    """Print what was found."""
    if as_json:
        print_json(found)
        return
    for title, faults in (("wrong", found.faults), ("lost earlier", found.damage)):
        if faults:
            rows = [
                (one.part, one.where, one.offset if one.offset >= 0 else "", one.bytes or "", one.what)
                for one in faults
            ]
            print_table((title, "where", "offset", "bytes", "what"), rows[:SHOWN])
        if len(faults) > SHOWN:
            say(f"and {len(faults) - SHOWN} more; --json lists them all")
    looked = (
        f"{found.files:,} files with {found.rows:,} rows, {found.segments:,} segments with {found.records:,} records"
    )
    say(f"{'well' if found.is_well else f'{len(found.faults)} wrong'}: {looked}")
