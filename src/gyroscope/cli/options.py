"""Options that many commands share, each declared once.

Commands annotate their parameters with these. Nothing here reads a settings file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gyroscope.errors import SettingsError

SettingsOption = Annotated[
    Path | None,
    typer.Option("--settings", "-s", help="the settings file; else the nearest gyroscope.yaml from here upwards"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="print the result as JSON")]
ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help="the model's name")]
VersionArgument = Annotated[str, typer.Argument(metavar="VERSION", help="see 'gyro models show'; else the newest")]
ReasonOption = Annotated[str, typer.Option("--reason", help="why, for the history")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="say what would change, and change nothing")]

BY_HAND = "asked for on the command line"


def settings_path(given: Path | None) -> Path:
    """The settings file a command works with.

    Raises `SettingsError` when none was named and none is found.
    """
    from gyroscope.settings import FILE_NAME, find_settings  # with what reads YAML: 20 ms

    found = given or find_settings(Path.cwd())
    if found is None:
        raise SettingsError(
            f"there is no {FILE_NAME} here or in a folder above",
            where=str(Path.cwd()),
            fix="run 'gyro init', or name one with --settings",
        )
    return found
