"""`gyro scale explain`: one decision with everything it was made from, and made again from it.

Reads the journal alone. Exit code 1: it comes out differently now.
"""

from __future__ import annotations

from typing import Annotated

import typer

from gyroscope.cli.options import JsonOption, SettingsOption, settings_path
from gyroscope.cli.output import print_json, say
from gyroscope.clock import iso


def explain(
    act_id: Annotated[str, typer.Argument(metavar="ID", help="as gyro scale show names it, such as scaling-17")],
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Explain one decision. Exit code 1: made again from its inputs it comes out differently."""
    from gyroscope.assembly import House
    from gyroscope.scaling import recompute

    house = House(settings_path(settings))
    act = house.journal.get(act_id)
    again = recompute(act.inputs)
    is_same = (again.action, again.reason) == (act.action, act.reason)
    if as_json:
        print_json({"act": act, "again": again, "same": is_same})
    else:
        at = iso(act.at, house.settings.monitoring.timezone)
        say(f"{act.id}: {act.subject} {act.action}, {act.reason} (switch {act.mode}), {at}")
        for name, value in again.evidence.items():
            say(f"  {name} {value}")
        say(f"  inputs {act.inputs}")
        say("made again from its inputs: the same" if is_same else f"made again: {again.action}, {again.reason}")
    if not is_same:
        raise typer.Exit(1)
