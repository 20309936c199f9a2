"""`gyro models show`: one model's versions in full: signature, reference, notes, and what was served when and why.

Reads the store alone; nothing needs to run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gyroscope.cli.options import JsonOption, ModelArgument, SettingsOption, settings_path
from gyroscope.cli.output import print_json, print_table, routes_text, say
from gyroscope.clock import iso
from gyroscope.records import Size

if TYPE_CHECKING:
    from gyroscope.assembly import House
    from gyroscope.records import Route, Version


def show(
    model: ModelArgument,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="one version; else all", show_default=False)] = "",
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show versions of a model."""
    from gyroscope.assembly import House
    from gyroscope.errors import ModelError, did_you_mean

    house = House(settings_path(settings))
    found = [house.models.get(model, version)] if version else house.models.versions(model)
    if not found:
        raise ModelError(
            f"no model is called {model!r}", where=str(house.home), fix=did_you_mean(model, house.models.models())
        )
    for one in found:
        if as_json:
            print_json({"version": one, "reference": _reference(house, one)})
        else:
            _tell(house, one)
    if not as_json and not version:
        print_table(
            ("changed", "what", "to", "why"),
            [(iso(one.at)[:19], one.kind, _value(one.value), one.reason) for one in house.routes.history(model)],
        )


def _tell(house: House, version: Version) -> None:
    signature = version.signature
    say(f"{version.model} {version.version}")
    say(f"  runner     {version.runner}  {version.entry or version.artifact}")
    say(f"  added      {iso(version.created_at)}")
    say(f"  sha256     {version.sha256}")
    classes = f", classes {', '.join(signature.classes)}" if signature.classes else ""
    say(f"  output     {signature.output}: {signature.task}{classes}, threshold {signature.threshold:g}")
    say(f"  reference  {_reference(house, version)}")
    for note in version.notes:
        say(f"  note       {note}")
    print_table(
        ("feature", "type", "missing allowed", "categories"),
        [
            (one.name, one.dtype, "yes" if one.nullable else "no", len(one.categories) or "")
            for one in signature.features
        ],
    )


def _reference(house: House, version: Version) -> str:
    from gyroscope.records import NotEnoughData

    reference = house.models.reference(version)
    if isinstance(reference, NotEnoughData):
        return reference.reason
    return f"{reference.total.n} rows, {reference.outcomes.n} with an outcome, in {len(reference.windows)} windows"


def _value(value: tuple[Route, ...] | Size) -> str:
    if isinstance(value, Size):
        return str(value.replicas)
    return routes_text(value)
