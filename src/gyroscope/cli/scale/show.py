"""`gyro scale show`: the size of each model, what is wanted, and the reason.

Reads the stores alone; nothing needs to run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from gyroscope.cli.options import JsonOption, SettingsOption, settings_path
from gyroscope.cli.output import print_json, print_table, say
from gyroscope.clock import iso
from gyroscope.settings_models import ModelPolicy

if TYPE_CHECKING:
    from gyroscope.assembly import House


class Shown(msgspec.Struct, frozen=True):
    """One model. `decided`, `reason` and `id` are of the newest decision about it, and empty where there is none."""

    model: str
    replicas: int
    min: int
    max: int
    decided: str = ""
    reason: str = ""
    mode: str = ""
    id: str = ""
    at: str = ""


def show(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="one model; else all", show_default=False)] = "",
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show sizes, bounds and the newest decisions."""
    from gyroscope.assembly import House

    house = House(settings_path(settings))
    if model:
        house.signature_of(model)
    shown = [_shown(house, name) for name in ([model] if model else house.models.models())]
    if as_json:
        print_json(shown)
    elif shown:
        columns = ("model", "replicas", "bounds", "decided", "reason", "switch", "id", "at")
        print_table(columns, [_row(one) for one in shown])
    else:
        say("there is no model yet")


def _shown(house: House, model: str) -> Shown:
    bounds = house.settings.models.get(model, ModelPolicy()).bounds
    size = house.routes.replicas(model, house.settings)
    acts = house.journal.newest("scaling", model, 1)
    if bounds.min == bounds.max or not acts:
        return Shown(model, size, bounds.min, bounds.max, reason="fixed_size" if bounds.min == bounds.max else "")
    act = acts[0]
    at = iso(act.at, house.settings.monitoring.timezone)
    return Shown(model, size, bounds.min, bounds.max, act.action, act.reason, act.mode, act.id, at)


def _row(one: Shown) -> tuple[str, ...]:
    bounds = str(one.min) if one.min == one.max else f"{one.min} to {one.max}"
    return (one.model, str(one.replicas), bounds, one.decided, one.reason, one.mode, one.id, one.at)
