"""The picture of H1 and H2 in the docs: `python -m benchmarks.statistics.alarm_days docs/alarm-days.svg`.

Ours and, below, the days on which the peers alarm with their defaults, on the same flights. It judges nothing.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import peers
from benchmarks.statistics.e01_estimates import quiet
from benchmarks.statistics.flights import Rows, Year, load_year
from benchmarks.statistics.h01_flights import HARM, brier_by_day, flags_of, opened
from gyroscope.demo.flights import FEATURES
from gyroscope.reports.figures.alarm_days import Strip, alarm_days
from gyroscope.stats.performance import as_streams, performance_streams


def main(target: str) -> None:
    """Measure, ask the peers, draw."""
    with tempfile.TemporaryDirectory() as folder:
        year = load_year(Path(folder))
        loss, harmful_from = brier_by_day(year.later), float(brier_by_day(year.reference).mean()) + HARM
        strips = [*ours(year), *theirs(year, Path(folder))]
    drawn = alarm_days("Brier score of each day", year.later.names, loss, harmful_from, strips)
    Path(target).write_text(drawn, encoding="utf-8")
    for strip in strips:
        print(f"{strip.name}: {len(strip.days)} days")


def ours(year: Year) -> list[Strip]:
    """Harmful days, incidents, days flagged without their labels and with those of the afternoon."""
    names = np.array(year.later.names)
    streams = performance_streams(year.reference.outcomes(), year.later.outcomes(), ["brier"])
    flags = flags_of(year)
    return [
        Strip("harmful days", names[flags.harmful].tolist()),
        Strip("Gyroscope: incidents", names[opened(*as_streams(streams))].tolist(), is_ours=True),
        Strip("Gyroscope: flagged by 16:00", names[flags.by_afternoon].tolist(), is_ours=True),
        Strip("Gyroscope: flagged, no label", names[flags.without_labels].tolist(), is_ours=True),
    ]


def theirs(year: Year, folder: Path) -> list[Strip]:
    """Peers at their defaults."""
    files = [
        str(_write(rows, folder / f"{name}.csv"))
        for name, rows in (("reference", year.reference), ("later", year.later))
    ]
    strips = []
    for name in ("nannyml", "evidently", "whylogs", "alibi-detect", "river"):
        out = folder / f"{name}.json"
        script = str(peers.HERE / name / "alarm_days.py")
        subprocess.run([str(peers.python(name)), "-W", "ignore", script, *files, str(out)], check=True, env=quiet())
        strips += [Strip(what, days) for what, days in json.loads(out.read_text(encoding="utf-8")).items()]
    return strips


def _write(rows: Rows, path: Path) -> Path:
    """Flights with a label, features as the model takes them."""
    columns = {name: rows.flights.columns[name] for name in FEATURES}
    columns |= {"score": rows.score, "said": (rows.score >= 0.5).astype(int), "late": rows.late.astype(int)}
    known = np.flatnonzero(rows.late >= 0)
    days = np.array(rows.names)[rows.day]
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow([*columns, "at"])
        writer.writerows(zip(*(values[known] for values in columns.values()), days[known], strict=True))
    return path


if __name__ == "__main__":
    main(sys.argv[1])
