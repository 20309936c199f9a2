"""`gyro backup`: everything of a home in one file, while it runs.

The file holds the keys too, unless they are left out; only its owner can read it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gyroscope.cli.options import JsonOption, SettingsOption, settings_path
from gyroscope.cli.output import print_json, say

MIB = 1_048_576


def backup(
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="the file to write: .tar, .tar.gz or .tgz")],
    without_keys: Annotated[bool, typer.Option("--without-keys", help="leave API key and privacy key out")] = False,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Back up models, predictions, labels, results and settings; serving goes on."""
    from gyroscope.assembly import House
    from gyroscope.assembly.backup import backup as back_up
    from gyroscope.assembly.priority import be_modest

    be_modest()
    done = back_up(House(settings_path(settings)), target.absolute(), with_keys=not without_keys)
    if as_json:
        print_json(done)
        return
    tables = ", ".join(f"{model} at commit {number} of its table" for model, number in done.tables.items())
    say(f"wrote {done.path}: {done.bytes / MIB:,.1f} MiB, {done.files:,} files, {tables or 'no tables'}")
    if done.has_keys:
        say("it holds the keys: whoever can read it can ask for predictions; --without-keys leaves them out")
