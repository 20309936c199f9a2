"""`gyro rollouts promote`: the challenger that is on its way becomes champion, and the champion of before stands by.

Its replicas run already, so it takes a moment and fails nobody.
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
    """Make the challenger champion."""
    from gyroscope.assembly import House
    from gyroscope.assembly.rolling import move
    from gyroscope.rollouts.moves import to_champion

    moved = move(House(settings_path(settings)), model, to_champion, f"promoted: {reason}", dry_run=dry_run)
    tell_move(moved, dry_run=dry_run, as_json=as_json)
