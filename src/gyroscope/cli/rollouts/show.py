"""`gyro rollouts show`: who has which role, what challengers came to, and what the loop decided last.

Reads stores only; `gyro explain` says more about one decision.
"""

from __future__ import annotations

from gyroscope.cli.options import JsonOption, ModelArgument, SettingsOption, settings_path
from gyroscope.cli.output import print_json, print_table, routes_text, say
from gyroscope.clock import iso


def show(model: ModelArgument, settings: SettingsOption = None, as_json: JsonOption = False) -> None:
    """Show the challengers of a model and the newest decisions."""
    from gyroscope.assembly import House

    house = House(settings_path(settings))
    routes, tries = house.routes.routes(model), house.challengers.every(model)
    acts = house.journal.newest("rollouts", model)
    if as_json:
        print_json({"routes": routes, "challengers": tries, "acts": acts})
        return
    say(f"{model}: {routes_text(routes) or 'not served'}")
    if tries:
        rows = [(one.version, one.origin, one.state, one.reason, iso(one.changed_at)) for one in tries]
        print_table(("challenger", "proposed by", "state", "because", "since"), rows)
    if acts:
        print_table(
            ("act", "at", "decided", "because", "switch"),
            [(act.id, iso(act.at), act.action, act.reason, act.mode) for act in acts],
        )
