"""`gyro retrain`: train a model anew from its labelled predictions, or say why not, or what became of it.

What asks by hand waits for no cool-down. Control trains; the result waits as a challenger.
"""

from __future__ import annotations

from typing import Annotated

import typer

from gyroscope.cli.options import JsonOption, ModelArgument, SettingsOption, settings_path
from gyroscope.cli.output import print_json, print_table, say
from gyroscope.clock import iso, wall_now


def retrain(
    model: ModelArgument,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would be done, and do nothing")] = False,
    shown: Annotated[bool, typer.Option("--show", help="list the trainings so far, and do nothing")] = False,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train a challenger. Exit code 1: something speaks against it."""
    import msgspec

    from gyroscope.assembly import House
    from gyroscope.assembly.retraining import HouseSenses
    from gyroscope.retraining.decide import decide
    from gyroscope.signals.journal import Act

    house = House(settings_path(settings))
    trainings = house.trainings.every(model)
    if shown:
        rows = [
            (one.number, iso(one.started_at), one.because, one.rows, one.state, one.version or one.said)
            for one in trainings
        ]
        print_json(trainings) if as_json else print_table(
            ("training", "at", "because", "rows", "state", "came of it"), rows
        )
        return
    seen = HouseSenses(house).seen(model, trainings, house.challengers.every(model))
    seen = msgspec.structs.replace(seen, asked=True)
    decision = decide(seen)
    trains = decision.action == "train"
    if trains and not dry_run:
        inputs = msgspec.json.encode(seen).decode()
        act_id = house.journal.append(
            Act("retraining", model, decision.action, decision.reason, "act", inputs, wall_now())
        )
        house.trainings.begin(model, f"{act_id}: {decision.reason}", seen.now, seen.data, seen.rows)
    if as_json:
        print_json({"decision": decision, "begun": trains and not dry_run})
    else:
        word = ("would train" if dry_run else "control trains") if trains else "does not train"
        say(f"{word}: {decision.reason} ({seen.rows} labelled rows)")
    if not trains:
        raise typer.Exit(1)
