"""`gyro demo`: a year of real flights through the whole house.

All the work is `gyroscope.demo`'s.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gyroscope.cli.options import JsonOption


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="leave everything running at the end")] = False,
    report: Annotated[Path, typer.Option("--report", help="where to write the HTML report")] = Path(
        "gyroscope-demo.html"
    ),
    port: Annotated[int, typer.Option("--port", min=1, max=65_535, help="port of the door")] = 8080,
    days: Annotated[int, typer.Option("--days", min=0, help="replay only the first days; 0: all of them")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Train, serve, replay ten months of flights with their outcomes, and report: will a flight arrive late?"""
    from gyroscope.demo.run import DemoOptions, run_demo

    raise typer.Exit(run_demo(DemoOptions(keep=keep, json=as_json, report=report, port=port, days=days)))
