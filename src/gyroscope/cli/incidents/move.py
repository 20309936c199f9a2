"""The five decisions about an incident: `gyro incidents acknowledge`, `snooze`, `close`, `noise` and `accept`.

Each writes a line of the incident's journal and of the house's, with the user's name and reason; nothing needs to run.
"""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gyroscope.cli.incidents.show import IncidentArgument
from gyroscope.cli.options import JsonOption, SettingsOption, settings_path
from gyroscope.cli.output import print_json, say
from gyroscope.clock import EventTime, iso, wall_now

if TYPE_CHECKING:
    from gyroscope.alerts import Incident
    from gyroscope.alerts.decisions import Verb

NEVER = EventTime(0)

BecauseOption = Annotated[str, typer.Option("--because", help="the reason, for the journal")]


def acknowledge(
    incident: IncidentArgument,
    because: BecauseOption = "somebody looks at it",
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that somebody looks at it."""
    _move(incident, "acknowledge", because, settings, as_json)


def close(
    incident: IncidentArgument,
    because: BecauseOption = "done",
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Close it. The same change opens no second one while it lasts."""
    _move(incident, "close", because, settings, as_json)


def noise(
    incident: IncidentArgument,
    because: BecauseOption = "not worth a page",
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Close it as a false alarm: it counts against the budget that `gyro monitor show` prints."""
    _move(incident, "noise", because, settings, as_json)


def accept(
    incident: IncidentArgument,
    because: BecauseOption = "this is the new normal",
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Accept what changed as normal: later windows are held against those since then, once there are 14 of them."""
    _move(incident, "accept", because, settings, as_json)


def snooze(
    incident: IncidentArgument,
    until: Annotated[
        str, typer.Option("--until", help="hours or days from now, or a moment: 8h, 2d, 2026-03-04")
    ] = "8h",
    because: BecauseOption = "it can wait",
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell nobody of it until a moment. If it still stands then, notifiers are told once more."""
    from gyroscope.alerts.decisions import until_of

    moved = _decided(incident, "snooze", because, settings, until_of(until, wall_now()))
    if as_json:
        print_json(moved)
    else:
        say(f"{moved.id} is snoozed until {iso(moved.snoozed_until)[:16]}: {moved.title}")


def _move(incident: str, verb: Verb, because: str, settings: Path | None, as_json: bool) -> None:
    moved = _decided(incident, verb, because, settings)
    if as_json:
        print_json(moved)
    else:
        say(f"{moved.id} is {moved.state}: {moved.title}")


def _decided(incident: str, verb: Verb, because: str, settings: Path | None, until: EventTime = NEVER) -> Incident:
    from gyroscope.alerts.decisions import Asked, decide
    from gyroscope.assembly import House

    house = House(settings_path(settings))
    who = pwd.getpwuid(os.getuid()).pw_name
    return decide(house.incidents, house.journal, incident, Asked(verb, who, because, until), wall_now())
