"""`gyro up`: start everything this settings file asks for, and say where it is.

In the foreground it stays until it is told to stop, for systemd and containers.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from gyroscope.cli.options import JsonOption, SettingsOption, settings_path
from gyroscope.cli.output import print_json, say


def up(
    foreground: Annotated[
        bool, typer.Option("--foreground", help="stay until told to stop, then stop everything")
    ] = False,
    open_page: Annotated[bool, typer.Option("--open", help="open the page in a browser")] = False,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start the supervisor, the door, the replicas, the recorder and control."""
    from gyroscope.cli.foreground import run_until_told

    path = settings_path(settings)
    start = partial(_start, path, open_page=open_page, as_json=as_json)
    if foreground:
        run_until_told(path, start)
    else:
        start()


def _start(path: Path, *, open_page: bool, as_json: bool) -> None:
    from gyroscope import assembly

    report = assembly.up(path)
    if as_json:
        print_json(report)
    else:
        say(f"predictions  {report.address}")
        say(f"page         {report.link}   (works once, within 15 minutes; 'gyro link' makes another)")
        say(f"API key      {report.api_key_path}")
        say(f"models       {', '.join(report.models) or 'none yet: gyro models add NAME ARTIFACT --signature ...'}")
    if open_page:
        typer.launch(report.link)
