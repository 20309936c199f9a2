"""`gyro predictions erase`: everything that a model's log holds of one subject, for good.

It cannot be undone. Backups and files that were exported are other places: see docs/operations.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gyroscope.cli.options import JsonOption, ModelArgument, SettingsOption, settings_path
from gyroscope.cli.output import print_json, say, warn
from gyroscope.errors import InputError

if TYPE_CHECKING:
    from gyroscope.predictions.keeping.erasure import Subject


def erase(
    model: ModelArgument,
    entity: Annotated[str, typer.Option("--entity", help="all rows of this entity key")] = "",
    request_id: Annotated[str, typer.Option("--request-id", help="all rows of this request")] = "",
    where_client: Annotated[str, typer.Option("--where-client", help="all rows that this client sent")] = "",
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase rows, labels and old copies of one subject. Exit code 1: it can still be read where it says."""
    from gyroscope.assembly import House
    from gyroscope.assembly.erasing import erase_subject

    subject = _subject(entity, request_id, where_client)
    erased = erase_subject(House(settings_path(settings)), model, subject)
    if as_json:
        print_json(erased)
    else:
        say(
            f"{erased.rows:,} rows of {erased.requests:,} requests on {len(erased.days)} days erased,"
            f" {erased.labels:,} labels; {erased.files:,} files written anew, {erased.removed_files:,} old ones removed"
        )
        for path in erased.left_in:
            warn(f"still in {path}")
        say("backups and exported files are other places; a segment in use is emptied when its replica starts anew")
    if erased.left_in:
        raise typer.Exit(1)


def _subject(entity: str, request_id: str, where_client: str) -> Subject:
    from gyroscope.predictions.keeping.erasure import Subject

    given = {"entity": entity, "request-id": request_id, "where-client": where_client}
    named = [(by, value) for by, value in given.items() if value]
    if len(named) != 1:
        raise InputError(
            "name one subject", where="gyro predictions erase", fix="--entity, --request-id or --where-client"
        )
    by, value = named[0]
    return Subject(by, value)  # type: ignore[arg-type]  # the keys above are its choices
