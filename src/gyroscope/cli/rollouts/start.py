"""`gyro rollouts start`: send a version on its way to become champion.

The loop takes it through shadow and canary as `loops.promotion` allows; one model has one challenger at a time.
"""

from __future__ import annotations

from gyroscope.cli.options import (
    DryRunOption,
    JsonOption,
    ModelArgument,
    SettingsOption,
    VersionArgument,
    settings_path,
)
from gyroscope.cli.output import print_json, say
from gyroscope.clock import wall_now
from gyroscope.errors import ModelError


def start(
    model: ModelArgument,
    version: VersionArgument = "",
    dry_run: DryRunOption = False,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have a version wait for its turn as challenger."""
    from gyroscope.assembly import House

    house = House(settings_path(settings))
    newest = house.models.versions(model)[-1:]
    chosen = house.models.get(model, version or (newest[0].version if newest else "")).version
    if any(route.version == chosen and route.role == "champion" for route in house.routes.routes(model)):
        raise ModelError(f"version {chosen} is the champion", where=model, fix="choose another version")
    if not dry_run:
        house.challengers.propose(model, chosen, "by hand", wall_now())
    switch = house.settings.loops.promotion
    if as_json:
        print_json({"model": model, "version": chosen, "promotion": switch, "changed": not dry_run})
    else:
        meaning = {"act": "the loop takes it from here", "propose": "the loop proposes steps, gyro rollouts takes them"}
        waits = "would wait" if dry_run else "waits"
        say(f"{model} {chosen} {waits} for its turn; {meaning.get(switch, 'no loop runs')}")
