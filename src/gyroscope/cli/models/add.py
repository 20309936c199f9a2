"""`gyro models add`: a new version with its signature and, if there are any, its held-out reference predictions.

The first version of a model gets its traffic at once; a later one waits for `gyro models serve`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gyroscope.cli.options import JsonOption, SettingsOption, settings_path
from gyroscope.cli.output import print_json, say, warn
from gyroscope.clock import wall_now

if TYPE_CHECKING:
    from gyroscope.assembly import House
    from gyroscope.cli.models.held_out import HeldOut, Judged
    from gyroscope.models import Candidate
    from gyroscope.records import Version

FIRST = "the first version of its model"

ArtifactArgument = Annotated[
    str,
    typer.Argument(
        metavar="[ARTIFACT]",
        help="an ONNX or LightGBM file, churn.py:Class, or models:/churn@challenger from MLflow",
        show_default=False,
    ),
]
SignatureOption = Annotated[
    Path | None,
    typer.Option("--signature", help="YAML or JSON file of inputs and output; else that of the model so far"),
]
ScoreOption = Annotated[
    list[str] | None,
    typer.Option("--score-column", help="what was predicted, one per class; else the model scores the rows itself"),
]


def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="the model's name: a-z, 0-9, - and _")],
    artifact: ArtifactArgument = "",
    signature: SignatureOption = None,
    external: Annotated[
        bool, typer.Option("--external", help="it is served elsewhere: there is no artifact, and nothing is started")
    ] = False,
    called: Annotated[str, typer.Option("--version", help="what this version is called there, for --external")] = "",
    runner: Annotated[str, typer.Option("--runner", help="as `gyro models show` names it; else by the content")] = "",
    code: Annotated[
        Path | None, typer.Option("--code", help="the folder that holds the module of module:Class")
    ] = None,
    reference: Annotated[
        Path | None, typer.Option("--reference", help="held-out predictions: Parquet, CSV or JSON with all features")
    ] = None,
    score_column: ScoreOption = None,
    label_column: Annotated[str, typer.Option("--label-column", help="the outcomes in the reference")] = "",
    time_column: Annotated[str, typer.Option("--time-column", help="when each row happened")] = "",
    held_out: Annotated[
        bool, typer.Option("--held-out", help="promise: the model was not trained on the reference rows")
    ] = False,
    training_rows: Annotated[
        Path | None, typer.Option("--training-rows", help="rows it was trained on, to look for them in the reference")
    ] = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a version of a model. Exit code 1: the reference looks wrong, and nothing was added."""
    from gyroscope.assembly import House
    from gyroscope.assembly.registry import fetched
    from gyroscope.cli.models.candidates import Given, read_candidate
    from gyroscope.cli.models.held_out import HeldOut
    from gyroscope.models import read_signature
    from gyroscope.models.runners import rehearse

    house = House(settings_path(settings))
    with fetched(house, artifact) as (place, registered):
        shape = read_signature(signature) if signature else house.signature_of(name)
        candidate = read_candidate(Given(name, place, shape, runner, code, external, called))
        judged = None
        if reference is not None:
            words = HeldOut(reference, tuple(score_column or ()), label_column, time_column, training_rows, held_out)
            judged = _judge(house, candidate, words, as_json=as_json)
        version = house.models.add(candidate, wall_now(), check=None if external else rehearse)
    if registered is not None:
        house.registered.put(name, version.version, registered)
    is_served = _register(house, version, judged)
    if not as_json:
        _tell(house, version, is_served=is_served, has_reference=judged is not None)
        return
    complaints = judged.complaints if judged else ()
    print_json({"added": True, "version": version, "served": is_served, "complaints": complaints})


def _judge(house: House, candidate: Candidate, words: HeldOut, *, as_json: bool) -> Judged:
    from gyroscope.cli.models.held_out import judge
    from gyroscope.models import Blocks

    monitoring = house.settings.monitoring
    judged = judge(candidate, words, Blocks(zone=monitoring.timezone, length=monitoring.window), house.home)
    _complain(judged, is_promised=words.is_promised, as_json=as_json)
    return judged


def _complain(judged: Judged, *, is_promised: bool, as_json: bool) -> None:
    """Without the promise that the rows were held out, whatever looks wrong stops the adding."""
    for complaint in judged.complaints:
        warn(complaint)
    if judged.complaints and not is_promised:
        if as_json:
            print_json({"added": False, "complaints": judged.complaints})
        else:
            warn("Nothing was added. Mend the reference, or add --held-out if you know better.")
        raise typer.Exit(1)


def _register(house: House, version: Version, judged: Judged | None) -> bool:
    from gyroscope.records import Route

    if judged is not None:
        house.models.put_reference(version, judged.reference)
    if version.runner == "external":
        return False
    routes = house.routes.routes(version.model)
    if not routes:
        house.routes.set_route(Route(version.model, version.version), reason=FIRST, now=wall_now())
        return True
    return any(route.version == version.version for route in routes)


def _tell(house: House, version: Version, *, is_served: bool, has_reference: bool) -> None:
    say(f"added {version.model} {version.version} ({version.runner})")
    if not has_reference:
        first = house.settings.monitoring.reference
        amount = f"first {first.first_rows} rows" if first.first_rows else f"first {first.first_days} days"
        say(f"no reference was given: the {amount} of its predictions become the reference")
    if version.runner == "external":
        say(f"send what it answered: gyro predictions add FILE --model {version.model}, or POST /v1/predictions")
    elif not is_served:
        say(f"another version is served; to change over: gyro models serve {version.model} {version.version}")
