"""`gyro rollouts promote`: the canary becomes champion, and the champion before it stands by.

Its replicas run already, so it takes a moment and fails nobody. Once more, and its holdback ends.
"""

from __future__ import annotations

from gyroscope.cli.options import (
    BY_HAND,
    DryRunOption,
    JsonOption,
    ModelArgument,
    ReasonOption,
    SettingsOption,
    settings_path,
)
from gyroscope.cli.output import tell_move


def promote(
    model: ModelArgument,
    reason: ReasonOption = BY_HAND,
    dry_run: DryRunOption = False,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the canary champion, or end the holdback of a new champion."""
    from gyroscope.assembly import House
    from gyroscope.assembly.rolling import Asked, by_hand, policy_of
    from gyroscope.rollouts.moves import to_champion

    house = House(settings_path(settings))
    holdback = policy_of(house).holdback
    asked = Asked(lambda routes: to_champion(routes, holdback), "promote", reason)
    moved = by_hand(house, model, asked, dry_run=dry_run)
    tell_move(moved, dry_run=dry_run, as_json=as_json)
