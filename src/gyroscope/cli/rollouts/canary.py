"""`gyro rollouts canary`: offer a share of a model's requests to another version.

The champion answers what the canary refuses, fails or cannot take at once.
"""

from __future__ import annotations

from typing import Annotated

import typer

from gyroscope.cli.options import (
    BY_HAND,
    DryRunOption,
    JsonOption,
    ModelArgument,
    ReasonOption,
    SettingsOption,
    VersionArgument,
    settings_path,
)
from gyroscope.cli.output import tell_move


def canary(
    model: ModelArgument,
    version: VersionArgument = "",
    share: Annotated[float, typer.Option("--share", min=0.0001, max=1, help="of the requests, from 0 to 1")] = 0.05,
    reason: ReasonOption = BY_HAND,
    dry_run: DryRunOption = False,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Offer a share of the requests to a version."""
    from gyroscope.assembly import House
    from gyroscope.assembly.rolling import Asked, by_hand
    from gyroscope.rollouts.moves import to_canary

    house = House(settings_path(settings))
    newest = house.models.versions(model)[-1:]
    chosen = version or (newest[0].version if newest else "")
    asked = Asked(lambda routes: to_canary(routes, chosen, share), "canary", reason)
    moved = by_hand(house, model, asked, dry_run=dry_run)
    tell_move(moved, dry_run=dry_run, as_json=as_json)
