"""`gyro rollback`: take the newest version of a model back, at once.

A challenger on its way is taken off; else the version that stands by is champion again. It needs no control.
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


def rollback(
    model: ModelArgument,
    reason: ReasonOption = BY_HAND,
    dry_run: DryRunOption = False,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go back to the version before, which stands by."""
    from gyroscope.assembly import House
    from gyroscope.assembly.rolling import Asked, by_hand
    from gyroscope.rollouts.moves import back

    moved = by_hand(House(settings_path(settings)), model, Asked(back, "roll back", reason), dry_run=dry_run)
    tell_move(moved, dry_run=dry_run, as_json=as_json)
