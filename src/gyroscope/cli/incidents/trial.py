"""`gyro incidents test`: asks each notifier to say that nothing is wrong, at once and once, so that a page will arrive.

It goes past the outbox and opens no incident; nothing needs to run.
"""

from __future__ import annotations

from typing import Annotated

import typer

from gyroscope.cli.options import JsonOption, SettingsOption, settings_path
from gyroscope.cli.output import print_json, print_table
from gyroscope.clock import wall_now
from gyroscope.errors import SettingsError, did_you_mean


def test(
    notifier: Annotated[str, typer.Argument(metavar="NOTIFIER", help="one of them; else all", show_default=False)] = "",
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a test notification. Exit code 1: one was not taken."""
    from gyroscope.alerts.notices import trial
    from gyroscope.assembly import House
    from gyroscope.assembly.notifying import notifier_of
    from gyroscope.settings_alerts import told

    house = House(settings_path(settings))
    named = told(house.settings.notifiers)
    if notifier and notifier not in named:
        raise SettingsError(
            f"no notifier is called {notifier!r}", where=str(house.settings_path), fix=did_you_mean(notifier, named)
        )
    now = wall_now()
    outcomes = {
        name: notifier_of(house, one).send(trial(now), now) for name, one in named.items() if notifier in ("", name)
    }
    if as_json:
        print_json(outcomes)
    else:
        rows = [(name, "taken" if one.is_delivered else f"not taken: {one.said}") for name, one in outcomes.items()]
        print_table(("notifier", "test"), rows)
    if not all(one.is_delivered for one in outcomes.values()):
        raise typer.Exit(1)
