"""`gyro simulate`: rehearse scaling on a trace before it is real, beside what other systems would do.

It needs no running house; with `--model` it takes promise, bounds and what a replica was seen to carry from one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gyroscope.cli.options import JsonOption, SettingsOption, settings_path
from gyroscope.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from gyroscope.scaling.horizontal import Policy
    from gyroscope.simulation import Replica, Trace

NAMES = "steady, diurnal, ramp, spike, flash crowd, flights"


def simulate(
    name: Annotated[str, typer.Argument(metavar="[TRACE]", help=NAMES, show_default=False)] = "diurnal",
    times: Annotated[
        Path | None, typer.Option("--times", help="recorded requests instead: a text file, a time in seconds a line")
    ] = None,
    minutes: Annotated[float, typer.Option("--minutes", help="length of the trace", min=5, max=10_080)] = 120.0,
    peak: Annotated[float, typer.Option("--peak", help="requests per second at its busiest", min=0.1)] = 60.0,
    request_ms: Annotated[float, typer.Option("--request-ms", help="time of one request", min=0.01)] = 100.0,
    start_s: Annotated[float, typer.Option("--start-s", help="until a new replica works, seconds", min=0)] = 5.0,
    p99_ms: Annotated[float, typer.Option("--p99-ms", help="what is promised to 99 of 100 requests", min=0.1)] = 500.0,
    most: Annotated[int, typer.Option("--max", help="most replicas of any policy", min=1, max=256)] = 32,
    model: Annotated[str, typer.Option("--model", help="promise, bounds and capacity of this model of the home")] = "",
    seed: Annotated[int, typer.Option("--seed", help="another draw of requests and service")] = 0,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="write the picture as one HTML file")] = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rehearse scaling: this house's decisions beside HPA, a KPA-like policy, Ray Serve's and a fixed size."""
    from gyroscope.scaling.horizontal import Policy
    from gyroscope.simulation import Replica, named
    from gyroscope.simulation.beside import side_by_side
    from gyroscope.stats.queueing import Promise

    trace = _read(times) if times else named(name, round(60 * minutes), peak)
    replica = Replica(request_s=request_ms / 1_000, start_s=start_s, patience_s=max(1.0, 2 * p99_ms / 1_000))
    policy = Policy(least=1, most=most, promise=Promise(p99_ms / 1_000))
    if model:
        replica, policy = _of(model, settings)
    outcomes = side_by_side(trace, replica, policy, seed)
    if output is not None:
        from gyroscope.reports.html import write_html
        from gyroscope.reports.rehearsal import rehearsal_html

        write_html(output, rehearsal_html(trace, outcomes, _assumed(replica, policy)))
    if as_json:
        names = ("policy", "requests", "violations", "refused", "replica_s", "reversals")
        told = [{each: getattr(one, each) for each in names} for one in outcomes]
        print_json({"trace": trace.name, "seconds": len(trace.per_s), "changes": trace.changes, "outcomes": told})
        return
    from gyroscope.reports.rehearsal import HEADER, rows

    long = f"{len(trace.per_s) / 60:,.0f} minutes, {outcomes[0].requests:,} requests"
    say(f"{trace.name}, {long}; {_assumed(replica, policy)}")
    print_table(HEADER, rows(outcomes))
    if output is not None:
        say(f"wrote {output}")


def _read(times: Path) -> Trace:
    import numpy as np

    from gyroscope.errors import InputError
    from gyroscope.simulation.traces import recorded

    try:
        return recorded(times.name, np.array(times.read_text(encoding="utf-8").split(), dtype=np.float64))
    except (OSError, ValueError) as error:
        raise InputError(
            f"the times cannot be read: {error}", where=str(times), fix="one time in seconds a line"
        ) from error


def _of(model: str, settings: Path | None) -> tuple[Replica, Policy]:
    """A replica as the house has learned it, and what the settings ask for."""
    from gyroscope.assembly import House
    from gyroscope.errors import ModelError
    from gyroscope.records import NotEnoughData
    from gyroscope.scaling.loop import newest_inputs, policy_of
    from gyroscope.simulation import Replica

    house = House(settings_path(settings))
    house.signature_of(model)
    inputs = newest_inputs(house.journal, model)
    if isinstance(inputs, NotEnoughData) or isinstance(inputs.capacity, NotEnoughData):
        raise ModelError(
            f"nothing is known yet of what a replica of {model} carries",
            where="the journal of scaling",
            fix="give it replicas {min, max}, run it under load, or leave --model out",
        )
    learned, policy = inputs.capacity, policy_of(house.settings, model, inputs.policy.start_s)
    batch = max(1, min(policy.most_batch, round(learned.batch)))
    replica = Replica(
        learned.request_s, learned.fixed_s, learned.cv2, batch, inputs.policy.start_s, policy.promise.patience_s
    )
    return replica, policy


def _assumed(replica: Replica, policy: Policy) -> str:
    within_ms = 1_000 * policy.promise.within_s
    fixed = f"{1_000 * replica.fixed_s:.3g} ms and " if replica.fixed_s else ""
    return (
        f"a call takes {fixed}{1_000 * replica.request_s:.3g} ms a request, "
        f"a replica starts in {replica.start_s:.3g} s, 99 of 100 are promised within {within_ms:g} ms, "
        f"{policy.least} to {policy.most} replicas"
    )
