"""`gyro incidents show`: one incident in full: why, since when, the evidence, what it explains, and its journal.

Reads the store alone; nothing needs to run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gyroscope.cli.options import JsonOption, SettingsOption, settings_path
from gyroscope.cli.output import print_json, print_table, say
from gyroscope.clock import day_of, iso

if TYPE_CHECKING:
    from gyroscope.alerts import Incident, Incidents

IncidentArgument = Annotated[str, typer.Argument(metavar="INCIDENT", help="its id, as the list shows it")]


def show(incident: IncidentArgument, settings: SettingsOption = None, as_json: JsonOption = False) -> None:
    """Show one incident."""
    from gyroscope.assembly import House

    house = House(settings_path(settings))
    found = house.incidents.get(incident)
    if as_json:
        print_json({"incident": found, "journal": house.incidents.journal(incident)})
    else:
        _tell(found, house.incidents, house.settings.monitoring.timezone)


def _tell(one: Incident, incidents: Incidents, zone: str) -> None:
    from gyroscope.alerts.words import bundle_rows, harm_text

    say(f"{one.id}  {one.title}")
    say(f"  why      {one.why}")
    say(f"  state    {one.state}{'' if one.pages else ', for information: it pages nobody'}")
    say(f"  model    {one.model} {one.version}")
    say(f"  began    about {day_of(one.since, zone)}, certain with the window of {day_of(one.opened, zone)}")
    if one.ended is not None:
        say(f"  over     {day_of(one.ended, zone)}")
    say(f"  harm     {harm_text(one)}")
    for child in one.children:
        say(f"  explains {child.reason}")
    for note in one.notes:
        say(f"  note     {iso(note.at)[:19]} {note.text}")
    rows = bundle_rows(one)
    if rows:
        print_table(("evidence", "of", "value", "95 % interval"), rows)
    moved = [(iso(line.at)[:19], line.state, line.by, line.reason) for line in incidents.journal(one.id)]
    print_table(("when", "state", "by", "why"), moved)
