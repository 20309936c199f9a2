"""`gyro models list`: every model of this home with its versions and what is served.

Reads the store alone; nothing needs to run.
"""

from __future__ import annotations

from gyroscope.cli.options import JsonOption, SettingsOption, settings_path
from gyroscope.cli.output import print_json, print_table, say
from gyroscope.clock import iso


def list_models(settings: SettingsOption = None, as_json: JsonOption = False) -> None:
    """List models and versions."""
    from gyroscope.assembly import House

    house = House(settings_path(settings))
    rows = []
    for model in house.models.models():
        shares = {route.version: route.share for route in house.routes.routes(model)}
        for version in house.models.versions(model):
            rows.append((version, shares.get(version.version, 0.0)))
    if as_json:
        for version, share in rows:
            print_json({"model": version.model, "version": version.version, "runner": version.runner, "share": share})
    elif not rows:
        say("no models yet: gyro models add NAME ARTIFACT --signature signature.yaml")
    else:
        print_table(
            ("model", "version", "runner", "added", "share of traffic"),
            [(one.model, one.version, one.runner, iso(one.created_at)[:19], f"{share:.0%}") for one, share in rows],
        )
