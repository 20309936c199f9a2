"""`gyro predictions tail`: the newest rows of a model's log, and with --follow those that come.

Reads the table alone; nothing needs to run. What clients sent is shown with its control characters spelled out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gyroscope.cli.options import JsonOption, ModelArgument, SettingsOption, settings_path
from gyroscope.cli.output import print_json, print_table, say
from gyroscope.clock import iso, sleep

if TYPE_CHECKING:
    from gyroscope.predictions.reading.tail import Seen

LOOK_EVERY_S = 1.0
LONGEST, LONGEST_ERROR = 24, 60
COLUMNS = ("arrived", "request", "row", "status", "version", "answer", "ms", "event time", "inputs or error")


def tail(
    model: ModelArgument,
    n: Annotated[int, typer.Option("-n", min=1, max=100_000, help="how many rows")] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="go on with what comes, until ctrl-c")] = False,
    errors: Annotated[bool, typer.Option("--errors", help="only requests that failed")] = False,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the newest predictions, the last one at the bottom."""
    from gyroscope.assembly import House
    from gyroscope.predictions.reading.tail import Tail

    house = House(settings_path(settings))
    house.signature_of(model)
    reader = Tail(house.table(model), only_errors=errors)
    rows = reader.newest(n)
    if not rows and not follow and not as_json:
        say("nothing yet; a prediction is in the table a second after its answer")
    _show(rows, house.settings.monitoring.timezone, as_json=as_json)
    while follow:
        sleep(LOOK_EVERY_S)
        _show(reader.more(), house.settings.monitoring.timezone, as_json=as_json)


def _show(rows: list[Seen], zone: str, *, as_json: bool) -> None:
    if as_json:
        for one in rows:
            print_json({**_plain(one), "event_time": iso(one.event_time), "arrival_time": iso(one.arrival_time)})
    elif rows:
        print_table(COLUMNS, [_cells(one, zone) for one in rows])


def _plain(seen: Seen) -> dict[str, object]:
    return {name: getattr(seen, name) for name in seen.__struct_fields__}


def _cells(seen: Seen, zone: str) -> tuple[str, ...]:
    inputs = ", ".join(f"{name}={_short(value)}" for name, value in seen.features.items() if value is not None)
    answer = ", ".join("" if value is None else f"{value:.6g}" for value in seen.outputs)
    return (
        iso(seen.arrival_time, zone)[:19].replace("T", " "),
        _short(seen.request_id, 40),
        str(seen.row),
        f"{seen.status}{'' if seen.answered else ' (repeated)'}{'' if seen.variant == 'live' else f' {seen.variant}'}",
        seen.version,
        answer,
        f"{seen.latency_us / 1_000:.1f}",
        iso(seen.event_time, zone)[:19].replace("T", " "),
        _short(seen.error, LONGEST_ERROR) if seen.error else _short(inputs, 100),
    )


def _short(value: object, longest: int = LONGEST) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
