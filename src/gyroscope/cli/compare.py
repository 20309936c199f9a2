"""`gyro compare`: how far has one table of rows moved from another? No server, no model needed.

Exit code 1 when a column has moved further than the threshold.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gyroscope.cli.options import JsonOption
from gyroscope.cli.output import print_json, say
from gyroscope.cli.profile import PROFILE_SUFFIX
from gyroscope.errors import InputError

if TYPE_CHECKING:
    from gyroscope.notebook import Comparison, Profile

DRIFT_EFFECT = 0.3
"""As `thresholds.drift_effect` of the settings, which take 20 ms to import."""


def compare(
    reference: Annotated[Path, typer.Argument(metavar="REFERENCE", help="a table, as for gyro profile, or a .profile")],
    current: Annotated[Path, typer.Argument(metavar="CURRENT", help="the rows to hold against it")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="write a self-contained HTML report")] = None,
    threshold: Annotated[
        float, typer.Option("--threshold", min=0, help="effect size w beyond which a column counts as moved")
    ] = DRIFT_EFFECT,
    distances: Annotated[
        bool, typer.Option("--distances", help="PSI, JS and others beside what each shows without a change")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare two tables column by column. Exit code 1: a column has moved."""
    import gyroscope

    comparison = gyroscope.compare(_source(reference), _source(current))
    moved = _moved(comparison, threshold)
    if output is not None:
        comparison.to_html(output)
    if as_json:
        known = {"distances": comparison.distances()} if distances else {}
        print_json({"columns": comparison.columns, "added": comparison.added, "moved": moved, **known})
    else:
        say(str(comparison))
        if distances:
            say(_table(comparison.distances()))
        say(f"moved by more than {threshold:g}: {', '.join(moved) or 'none'}")
        if output is not None:
            say(f"wrote {output}")
    if moved:
        raise typer.Exit(1)


def _source(path: Path) -> Path | Profile:
    """A table as it is; a profile read back."""
    if path.suffix != PROFILE_SUFFIX:
        return path
    from gyroscope.notebook import Profile

    try:
        return Profile.from_bytes(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(
            f"the profile cannot be read: {error}", where=str(path), fix="make it by 'gyro profile'"
        ) from error


def _table(found: dict[str, dict[str, Any]]) -> str:
    """A line per column, each distance followed by its mean without a change."""
    from gyroscope.records import NotEnoughData

    lines = ["distances, in brackets about what each shows when nothing has changed:"]
    for name, every in found.items():
        known = {key: one for key, one in every.items() if not isinstance(one, NotEnoughData)}
        lines.append(f"{name}: " + ", ".join(f"{key} {one.value:.3g} ({one.null:.2g})" for key, one in known.items()))
    return "\n".join(lines)


def _moved(comparison: Comparison, threshold: float) -> list[str]:
    from gyroscope.records import NotEnoughData

    effects: list[tuple[str, Any]] = [(column.name, column.effect) for column in comparison.columns]
    return [name for name, found in effects if not isinstance(found, NotEnoughData) and found.effect > threshold]
