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
    seed: Annotated[int, typer.Option("--seed", min=0, help="what goes wrong, and when")] = 0,
    start: Annotated[str, typer.Option("--start", help="month that the replay starts with")] = "March",
    no_fault: Annotated[bool, typer.Option("--no-fault", help="no column changes its unit")] = False,
    equal_challenger: Annotated[
        bool, typer.Option("--equal-challenger", help="retraining gives the first model again")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Train, serve, replay ten months of flights with their outcomes, and report: will a flight arrive late?"""
    from gyroscope.demo.run import DemoOptions, month_of, run_demo

    options = DemoOptions(
        keep=keep,
        json=as_json,
        report=report,
        port=port,
        days=days,
        seed=seed,
        start=month_of(start),
        has_fault=not no_fault,
        is_equal=equal_challenger,
    )
    raise typer.Exit(run_demo(options))
