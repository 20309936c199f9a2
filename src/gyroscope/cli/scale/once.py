"""`gyro scale once`: look at what runs for some seconds, decide once, and with `--dry-run` only say so.

It sees what control's loop sees, but for a shorter time: what one request takes may not be known yet.
"""

from __future__ import annotations

from typing import Annotated

import typer

from gyroscope.cli.options import JsonOption, SettingsOption, settings_path
from gyroscope.cli.output import print_json, print_table, say
from gyroscope.clock import machine_now, sleep, wall_now

LOOKS = 7
"""One a second: the first counts nothing, the others fill the shortest time that demand is known from."""


def once(
    is_dry: Annotated[bool, typer.Option("--dry-run", help="only say what would be done")] = False,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decide once about every model whose size is a choice, as the loop would, and act as loops.scaling says."""
    from gyroscope.assembly import House
    from gyroscope.assembly.scaling import scaler
    from gyroscope.scaling.loop import as_decision

    house = House(settings_path(settings))
    looking = scaler(house)
    considered = looking.consider(machine_now())
    for _ in range(LOOKS - 1):
        sleep(1.0)
        considered = looking.consider(machine_now())
    if not is_dry and house.settings.loops.scaling != "off":
        looking.carry_out(considered, wall_now())
    decided = {model: as_decision(*one) for model, one in considered.items()}
    if as_json:
        print_json({"dry_run": is_dry, "decided": decided})
    elif decided:
        rows = [(model, one.action, one.reason, _figures(one.evidence)) for model, one in decided.items()]
        print_table(("model", "replicas", "reason", "because of"), rows)
    else:
        say("no model that runs has a choice: give it models.<name>.replicas {min, max}")


def _figures(evidence: dict[str, float | str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in evidence.items())
