"""`gyro rollback`: take the newest version of a model back, at once.

A challenger on its way is taken off; else the version that stands by is champion again. It needs no control.
"""

from __future__ import annotations

from typing import Annotated

import typer

from gyroscope.cli.options import JsonOption, ModelArgument, SettingsOption, settings_path
from gyroscope.cli.output import print_json, say_routes


def rollback(
    model: ModelArgument,
    reason: Annotated[str, typer.Option("--reason", help="why, for the history")] = "asked for on the command line",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would change, and change nothing")] = False,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go back to the version before, which stands by."""
    from gyroscope.assembly import House
    from gyroscope.assembly.rolling import move
    from gyroscope.rollouts.moves import back

    moved = move(House(settings_path(settings)), model, back, f"rolled back: {reason}", dry_run=dry_run)
    if as_json:
        print_json(moved)
    else:
        say_routes(moved.before, moved.after, dry_run=dry_run)
