"""`gyro models serve`: give all of a model's traffic to one of its versions; also the way back.

Control makes the replicas match within seconds when everything runs.
"""

from __future__ import annotations

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
from gyroscope.cli.output import print_json, routes_text, say


def serve(
    model: ModelArgument,
    version: VersionArgument = "",
    reason: ReasonOption = BY_HAND,
    dry_run: DryRunOption = False,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Serve one version of a model, and no other."""
    from gyroscope.assembly import House
    from gyroscope.assembly.rolling import Asked, by_hand
    from gyroscope.records import Route

    house = House(settings_path(settings))
    newest = house.models.versions(model)[-1:]
    chosen = house.models.get(model, version) if version or not newest else newest[0]
    asked = Asked(lambda _: [Route(model, chosen.version)], "serve", reason)
    moved = by_hand(house, model, asked, dry_run=dry_run)
    if as_json:
        print_json(moved)
    else:
        was = routes_text(moved.before) or "none"
        say(f"{'would serve' if dry_run else 'serving'} {model} {chosen.version} (before: {was})")
