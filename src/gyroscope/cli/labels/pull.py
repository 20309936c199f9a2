"""`gyro labels pull`: read one source of labels now, whatever its schedule.

What it has read control does not read again, and the other way round.
"""

from __future__ import annotations

from typing import Annotated

import typer

from gyroscope.cli.options import JsonOption, SettingsOption, settings_path
from gyroscope.cli.output import print_json, say, warn
from gyroscope.clock import wall_now

SHOWN = 20


def pull(
    name: Annotated[str, typer.Argument(metavar="NAME", help="the source's name under label_sources")],
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read one source of labels. Exit code 1: some were refused, each named with its row; the others are kept."""
    from gyroscope.assembly import House

    done = House(settings_path(settings)).label_sources.pull(name, wall_now())
    if as_json:
        refused = [{"row": row, "reason": reason} for row, reason in done.refused]
        print_json({"received": done.received, **done.counts, "files": done.files, "refused": refused})
    else:
        say(f"{done.received:,} received, " + ", ".join(f"{count:,} {state}" for state, count in done.counts.items()))
        for row, reason in done.refused[:SHOWN]:
            warn(f"{row}: {reason}")
        if len(done.refused) > SHOWN:
            warn(f"and {len(done.refused) - SHOWN:,} more; --json lists them all")
    if done.refused:
        raise typer.Exit(1)
