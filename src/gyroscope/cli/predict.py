"""`gyro predict`: ask a running model for predictions, for rows of a file or one row from the command line.

It asks over HTTP as any client would, so every prediction is recorded.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gyroscope.cli.options import JsonOption, ModelArgument, SettingsOption, settings_path
from gyroscope.cli.output import print_json, print_table
from gyroscope.errors import InputError, ModelError, did_you_mean

if TYPE_CHECKING:
    from gyroscope.assembly import House
    from gyroscope.cli.client import Client
    from gyroscope.records import Signature

# Far below the default limit of 1 MiB a body, with room for long texts.
ROWS_A_REQUEST = 500


def predict(
    model: ModelArgument,
    rows: Annotated[
        Path | None, typer.Option("--rows", help="CSV, or JSON list of objects: one row per prediction")
    ] = None,
    values: Annotated[list[str] | None, typer.Option("--set", help="one feature of a single row: name=value")] = None,
    request_id: Annotated[
        str, typer.Option("--request-id", help="the id that labels will name; else one is made")
    ] = "",
    event_time: Annotated[str, typer.Option("--event-time", help="when it happened, ISO 8601; else now")] = "",
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print one prediction per row, each with the id and row that a label for it names."""
    from gyroscope.assembly import House
    from gyroscope.assembly.lifecycle import address
    from gyroscope.cli.client import Client
    from gyroscope.cli.rows import read_rows, row_of_words

    house = House(settings_path(settings))
    signature = _served_signature(house, model)
    if (rows is None) == (not values):
        raise InputError("give rows one way", where="gyro predict", fix="either --rows FILE or --set name=value ...")
    table = read_rows(rows, signature) if rows is not None else [row_of_words(values or [], signature)]
    if request_id and len(table) > ROWS_A_REQUEST:
        raise InputError(
            f"{len(table)} rows do not fit one request",
            where="--request-id",
            fix=f"leave it out, or send {ROWS_A_REQUEST} at most",
        )
    headers = {"X-Request-Id": request_id, "X-Event-Time": event_time}
    client = Client(address(house), house.keys.api_key_path)
    answers = [
        _ask(client, model, signature, table[start : start + ROWS_A_REQUEST], headers)
        for start in range(0, len(table), ROWS_A_REQUEST)
    ]
    if as_json:
        for answer in answers:
            print_json(answer)
    else:
        print_table(
            ("request", "row", signature.output, "version", "logged"),
            [
                (answer["request_id"], row, _number(value), answer["version"], answer["logged"])
                for answer in answers
                for row, value in enumerate(answer["predictions"])
            ],
        )


def _served_signature(house: House, model: str) -> Signature:
    """Of the version that gets traffic: what a file or a word must be turned into."""
    routes = house.routes.routes(model)
    if not routes:
        known = house.models.models()
        fix = "one that is served elsewhere is asked there" if model in known else did_you_mean(model, known)
        raise ModelError(f"no model {model!r} is served here", where=str(house.home), fix=fix)
    return house.models.get(model, routes[0].version).signature


def _ask(
    client: Client, model: str, signature: Signature, table: list[list[Any]], headers: dict[str, str]
) -> dict[str, Any]:
    body = {"dataframe_split": {"columns": list(signature.names), "data": table}}
    sent = {name: value for name, value in headers.items() if value}
    reply = client.post(f"/models/{model}/invocations", body, sent)
    return {
        "request_id": reply.headers.get("x-request-id", ""),
        "version": reply.headers.get("x-model-version", ""),
        "logged": reply.headers.get("x-logged", ""),
        "predictions": reply.body["predictions"],
    }


def _number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
