"""`gyro doctor`: is this machine fit to run what the settings ask for? Each check says what to do about it.

Exit code 1 when a check fails; a warning alone is fine.
"""

from __future__ import annotations

from pathlib import Path

import typer

from gyroscope.cli.options import JsonOption, SettingsOption
from gyroscope.cli.output import print_json, print_table, say


def doctor(settings: SettingsOption = None, as_json: JsonOption = False) -> None:
    """Check the machine and the settings."""
    from gyroscope.cli.checks import examine
    from gyroscope.settings import Settings, find_settings, read_settings

    path = settings or find_settings(Path.cwd())
    found = list(examine(read_settings(path) if path else Settings()))
    if as_json:
        for check in found:
            print_json(check)
    else:
        say(f"settings: {path or 'none found, so the defaults'}")
        print_table(("check", "", "found", "fix"), [(one.name, one.state, one.found, one.fix) for one in found])
    if any(check.state == "fail" for check in found):
        raise typer.Exit(1)
