"""`gyro incidents show`: one incident in full: why, since when, the evidence, what it explains, and its journal.

Reads the store alone; nothing needs to run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gyroscope.cli.options import JsonOption, SettingsOption, settings_path
from gyroscope.cli.output import print_json, print_table, say
from gyroscope.clock import day_of, iso, wall_now

if TYPE_CHECKING:
    from gyroscope.alerts import Incident
    from gyroscope.assembly import House

IncidentArgument = Annotated[str, typer.Argument(metavar="INCIDENT", help="its id, as the list shows it")]


def show(incident: IncidentArgument, settings: SettingsOption = None, as_json: JsonOption = False) -> None:
    """Show one incident."""
    from gyroscope.assembly import House

    house = House(settings_path(settings))
    found = house.incidents.get(incident)
    if as_json:
        journal, letters = house.incidents.journal(incident), house.outbox.of(incident)
        print_json({"incident": found, "journal": journal, "notifications": letters})
    else:
        _tell(found, house)


def _tell(one: Incident, house: House) -> None:
    from gyroscope.alerts.words import bundle_rows, harm_text, letter_rows, state_text

    zone = house.settings.monitoring.timezone

    say(f"{one.id}  {one.title}")
    say(f"  why      {one.why}")
    say(f"  state    {state_text(one, wall_now())}")
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
    moved = [(iso(line.at)[:19], line.state, line.by, line.reason) for line in house.incidents.journal(one.id)]
    print_table(("when", "state", "by", "why"), moved)
    if letters := letter_rows(house.outbox.of(one.id)):
        print_table(("decided", "notifier", "told", "delivery"), letters)
