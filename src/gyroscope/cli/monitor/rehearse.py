"""`gyro monitor rehearse`: what another budget of false alarms would have paged on a model's own history.

Reads what was measured; nothing is opened, entered or sent.
"""

from __future__ import annotations

from typing import Annotated

import typer

from gyroscope.cli.options import JsonOption, ModelArgument, SettingsOption, settings_path
from gyroscope.cli.output import print_json, print_table, say
from gyroscope.clock import day_of, wall_now
from gyroscope.errors import InputError

DEFAULT = ("0.3 per 30d", "1 per 30d", "3 per 30d")


def rehearse(
    model: ModelArgument,
    false_alarms: Annotated[
        list[str] | None,
        typer.Option("--false-alarms", help="a budget such as 1 per 30d; may be given again", show_default="three"),
    ] = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Replay a model's history at some budgets: how often each would have paged, on which days, and why."""
    from gyroscope.assembly import House
    from gyroscope.assembly.rehearsal import rehearsed
    from gyroscope.settings import per_30_days

    house = House(settings_path(settings))
    house.signature_of(model)
    zone = house.settings.monitoring.timezone
    for text in false_alarms or DEFAULT:
        try:
            budget = per_30_days(text)
        except ValueError as error:
            raise InputError(str(error), where="--false-alarms", fix="such as 1 per 30d") from error
        found = rehearsed(house, model, wall_now(), budget)
        if as_json:
            print_json({"false_alarms": text, "days": found.days, "pages": found.incidents})
            continue
        say(f"{text}: {len(found.incidents)} pages in {found.days:.0f} judged days")
        if found.incidents:
            rows = [(day_of(one.opened, zone), day_of(one.since, zone), one.title, one.why) for one in found.incidents]
            print_table(("page on", "change since", "what", "why"), rows)
