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
from gyroscope.clock import wall_now


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
    from gyroscope.records import Route

    house = House(settings_path(settings))
    newest = house.models.versions(model)[-1:]
    chosen = house.models.get(model, version) if version or not newest else newest[0]
    wanted = Route(model, chosen.version)
    before = house.routes.routes(model)
    if not dry_run and before != [wanted]:
        house.routes.set_route(wanted, reason=reason, now=wall_now())
    if as_json:
        print_json({"before": before, "after": [wanted], "changed": not dry_run and before != [wanted]})
    else:
        was = routes_text(before) or "none"
        say(f"{'would serve' if dry_run else 'serving'} {model} {chosen.version} (before: {was})")
