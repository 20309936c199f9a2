"""`gyro restore`: a home from a backup, into a new folder, checked before and after.

Exit code 1 when the restored log is not well.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gyroscope.cli.options import JsonOption
from gyroscope.cli.output import print_json, say
from gyroscope.cli.predictions.verify import show
from gyroscope.cli.progress import progress


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="what gyro backup wrote")],
    home: Annotated[Path, typer.Option("--home", help="the folder to make; it must be empty or not there")],
    as_json: JsonOption = False,
) -> None:
    """Restore a backup into a new home and verify it."""
    from gyroscope.assembly.restore import restore as bring_back
    from gyroscope.assembly.verifying import verify_home

    done = bring_back(file, home)
    made = Path(done.home)
    with progress("looking") as move:
        found = verify_home(made, made, (), move)
    if as_json:
        print_json({"restored": done, "verified": found})
    else:
        say(f"restored {done.files:,} files of {done.began_at} (gyroscope {done.made_by}) into {done.home}")
        show(found, as_json=False)
        say(f"its settings: {done.settings}\nnext: put them where you want them, with home: {done.home}, then gyro up")
    if not found.is_well:
        raise typer.Exit(1)
