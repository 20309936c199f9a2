"""`gyro monitor show`: each family of monitors of a model: what it follows, how its rows depend, what it can see.

Reads what was measured; nothing needs to run.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gyroscope.cli.options import JsonOption, ModelArgument, SettingsOption, settings_path
from gyroscope.cli.output import print_json, print_table, say
from gyroscope.clock import wall_now

if TYPE_CHECKING:
    from gyroscope.assembly import House
    from gyroscope.monitoring.judging.followed_hours import HourlySeries
    from gyroscope.monitoring.judging.watched import Watched
    from gyroscope.monitoring.segments import Segment
    from gyroscope.records import Version


def show(
    model: ModelArgument,
    settings: SettingsOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="write performance by segment as self-contained HTML")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the monitors of a model: budget, noise, dependence of its rows, and the least change each would find."""
    from gyroscope.assembly import House

    house = House(settings_path(settings))
    house.signature_of(model)
    if output is not None:
        _write(output, house, model)
    found = house.monitor.watched(model, wall_now())
    if as_json:
        print_json(found)
        return
    _tell_budget(house, model)
    for one in found:
        _tell(one)
    _tell_hours(house.monitor.hours(model))
    for version in house.models.versions(model):
        _tell_segments(version, house.monitor.segments(model, version.version))
        reason = getattr(house.monitor.basis(model, version.version, wall_now()), "reason", "")
        if reason:
            say(f"{version.version}: not judged yet: {reason}")


def _write(output: Path, house: House, model: str) -> None:
    from gyroscope.reports.html import write_html
    from gyroscope.reports.segments_page import segments_html

    versions = house.models.versions(model)
    write_html(output, segments_html(model, [(one, house.monitor.segments(model, one.version)) for one in versions]))


def _tell_budget(house: House, model: str) -> None:
    policy = house.settings.models.get(model)
    own = policy.monitor.false_alarms if policy else ""
    newest = max((one.opened for one in house.incidents.all(model)), default=wall_now())
    say(f"affordable: {own or house.settings.monitoring.false_alarms} false pages")
    say(f"called noise in the 30 days up to the newest incident: {house.incidents.noise(model, newest)}")


def _tell_hours(found: list[HourlySeries]) -> None:
    """Predictions over time: which series are held against the same hours of other weeks, and how far that has come."""
    if found:
        say("")
        rows = [(one.name, one.version or "-", f"{one.hours:,}", one.judged) for one in found]
        print_table(("hour by hour", "version", "hours known", "how"), rows)


def _tell_segments(version: Version, segments: tuple[Segment, ...]) -> None:
    """The metric that pages in each segment, and its difference to the rest of the column, valid at every look."""
    from gyroscope.reports.segments import HEADER, row_of
    from gyroscope.stats.performance import PRIMARY

    metric = PRIMARY[version.signature.task]
    if segments:
        say("")
        say(f"{metric} of {version.version} by segment")
        print_table(HEADER, [row_of(one, metric) for one in segments])


def _tell(one: Watched) -> None:
    say("")
    say(
        f"{one.family} of {one.version}: {one.windows} windows judged, {one.series} series, evidence {one.evidence:.2g}"
    )
    print_table(
        ("series", "normal windows", "rows a window", "count as", "memory", "advice"),
        [
            (
                card.series,
                card.windows,
                f"{card.rows:,.0f}",
                f"{card.effective:,.0f}",
                f"{card.memory:.2f}",
                card.advice,
            )
            for card in one.cards
        ],
    )
    for sight in one.sights:
        say(f"  sees {sight.series} move by {sight.shift:.3g} within {sight.days:.0f} days")
    if one.quieter:
        names = ", ".join(one.quieter)
        say(f"  called noise, so with less weight: {names}; the family has {one.share:.2f} of the budget")
    for name, why in list(one.left_out.items())[:3]:
        say(f"  not followed: {name}: {why.reason}")
