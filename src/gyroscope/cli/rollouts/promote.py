"""`gyro rollouts promote`: the challenger that is on its way becomes champion, and the champion of before stands by.

Its replicas run already, so it takes a moment and fails nobody.
"""

from __future__ import annotations

from typing import Annotated

import typer

from gyroscope.cli.options import JsonOption, ModelArgument, SettingsOption, settings_path
from gyroscope.cli.output import print_json, say_routes


def promote(
    model: ModelArgument,
    reason: Annotated[str, typer.Option("--reason", help="why, for the history")] = "asked for on the command line",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would change, and change nothing")] = False,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the challenger champion."""
    from gyroscope.assembly import House
    from gyroscope.assembly.rolling import move
    from gyroscope.rollouts.moves import to_champion

    moved = move(House(settings_path(settings)), model, to_champion, f"promoted: {reason}", dry_run=dry_run)
    if as_json:
        print_json(moved)
    else:
        say_routes(moved.before, moved.after, dry_run=dry_run)
