"""The four decisions about an incident: `gyro incidents acknowledge`, `close`, `noise` and `accept`.

Each writes one line of the incident's journal, with the user's name and reason; nothing needs to run.
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
from gyroscope.clock import wall_now

if TYPE_CHECKING:
    from gyroscope.alerts import State

BecauseOption = Annotated[str, typer.Option("--because", help="the reason, for the journal")]


def acknowledge(
    incident: IncidentArgument,
    because: BecauseOption = "somebody looks at it",
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that somebody looks at it."""
    _move(incident, "acknowledged", because, settings, as_json)


def close(
    incident: IncidentArgument,
    because: BecauseOption = "done",
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Close it. The same change opens no second one while it lasts."""
    _move(incident, "closed", because, settings, as_json)


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
    _move(incident, "accepted", because, settings, as_json)


def _move(incident: str, state: State, because: str, settings: Path | None, as_json: bool) -> None:
    from gyroscope.assembly import House

    house = House(settings_path(settings))
    who = pwd.getpwuid(os.getuid()).pw_name
    moved = house.incidents.move(incident, state, by=who, reason=because, at=wall_now())
    if as_json:
        print_json(moved)
    else:
        say(f"{moved.id} is {moved.state}: {moved.title}")
