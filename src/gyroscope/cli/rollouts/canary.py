"""`gyro rollouts canary`: offer a share of a model's requests to another version.

The champion answers what the canary refuses, fails or cannot take at once.
"""

from __future__ import annotations

from typing import Annotated

import typer

from gyroscope.cli.options import JsonOption, ModelArgument, SettingsOption, settings_path
from gyroscope.cli.output import print_json, say_routes


def canary(
    model: ModelArgument,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="see 'gyro models show'; else the newest")] = "",
    share: Annotated[float, typer.Option("--share", min=0.0001, max=1, help="of the requests, from 0 to 1")] = 0.05,
    reason: Annotated[str, typer.Option("--reason", help="why, for the history")] = "asked for on the command line",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would change, and change nothing")] = False,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Offer a share of the requests to a version."""
    from gyroscope.assembly import House
    from gyroscope.assembly.rolling import move
    from gyroscope.rollouts.moves import to_canary

    house = House(settings_path(settings))
    newest = house.models.versions(model)[-1:]
    chosen = version or (newest[0].version if newest else "")
    moved = move(house, model, lambda routes: to_canary(routes, chosen, share), reason, dry_run=dry_run)
    if as_json:
        print_json(moved)
    else:
        say_routes(moved.before, moved.after, dry_run=dry_run)
