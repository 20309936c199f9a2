"""`gyro doctor`: is this machine fit to run what the settings ask for? Each check says what to do about it.

Exit code 1 when a check fails; a warning alone is fine.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from gyroscope.cli.options import JsonOption, SettingsOption
from gyroscope.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from gyroscope.cli.checks import Check
    from gyroscope.settings import Settings


def doctor(settings: SettingsOption = None, as_json: JsonOption = False) -> None:
    """Check the machine and the settings."""
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


def examine(settings: Settings) -> Iterator[Check]:
    """Every check, in the order in which they would stop a start."""
    from gyroscope.cli import checks, space

    yield checks.check_python(sys.version_info[:3])
    yield checks.check_haproxy()
    yield checks.check_port(settings)
    yield space.check_home(settings.home_path)
    yield space.check_memory(settings)
    yield checks.check_open_files(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    yield from checks.check_extras()
    yield checks.check_clock(settings.home_path)
