"""`gyro explain`: what a loop decided, why, and whether the same inputs give the same answer again.

The journal kept the inputs; the loop's own pure function is asked once more.
"""

from __future__ import annotations

import importlib
from typing import Annotated

import typer

from gyroscope.cli.options import JsonOption, SettingsOption, settings_path
from gyroscope.cli.output import print_json, print_table, say, warn
from gyroscope.clock import iso

RECOMPUTED_BY = {
    "rollouts": "gyroscope.rollouts.decide:recompute",
    "retraining": "gyroscope.retraining.decide:recompute",
    "scaling": "gyroscope.scaling:recompute",
    "incidents": "gyroscope.alerts.decisions:recompute",
}


def explain(
    act_id: Annotated[str, typer.Argument(metavar="ID", help="such as rollouts-12; see 'gyro rollouts show'")],
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decide again from the inputs in the journal. Exit code 1: the answer is another one."""
    from gyroscope.assembly import House

    act = House(settings_path(settings)).journal.get(act_id)
    module, _, name = RECOMPUTED_BY[act.loop].partition(":")
    again = getattr(importlib.import_module(module), name)(act.inputs)
    is_same = (again.action, str(again.reason)) == (act.action, act.reason)
    if as_json:
        print_json({"act": act, "again": again, "same": is_same})
    else:
        said = {"act": "done", "propose": "only proposed", "off": "switched off"}[act.mode]
        say(f"{act.id}: {act.subject}, {act.action}: {act.reason} ({said}, {iso(act.at)})")
        print_table(("figure", "value"), again.evidence.items())
        say("decided again from the same inputs: the same" if is_same else "")
    if not is_same:
        warn(f"decided again from the same inputs: {again.action}, {again.reason}")
        raise typer.Exit(1)
