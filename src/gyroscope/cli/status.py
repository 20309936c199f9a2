"""`gyro status`: what runs, what is wanted, and how many labels have come.

Exit code 1 when something that should run does not, or an alert stands.
"""

from __future__ import annotations

import typer

from gyroscope.cli.options import JsonOption, SettingsOption, settings_path
from gyroscope.cli.output import print_json, print_table, say


def status(settings: SettingsOption = None, as_json: JsonOption = False) -> None:
    """Show alerts, processes, models, routes and labels."""
    from gyroscope import assembly

    path = settings_path(settings)
    found = assembly.status(path)
    is_well = found.running and all(process.state == "ready" for process in found.processes)
    if as_json:
        print_json(found)
    else:
        say(f"{'up' if found.running else 'down'}  {assembly.address(assembly.House(path))}")
        for known in found.alerts:
            alert = known.alert
            say(f"{alert.name} since {known.since[:19]}: {alert.what}\n  where: {alert.where}\n  fix:   {alert.fix}")
        print_table(
            ("process", "kind", "state", "pid", "restarts", "reason"),
            [(one.name, one.kind, one.state, one.pid, one.restarts, one.reason) for one in found.processes],
        )
        print_table(
            ("model", "versions", "replicas", "labels"),
            [(one.name, one.routes_text, one.replicas_text, _counts(one.labels)) for one in found.models],
        )
    if found.alerts or not is_well:
        raise typer.Exit(1)


def _counts(labels: dict[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in labels.items() if count) or "none"
