"""Days on which Evidently's drift preset finds a drifted column: `alarm_days.py REFERENCE.csv LATER.csv OUT.json`.

Each day is a report against every tenth row of the reference (5,000), for time.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset

OWN = ["score", "said", "late", "at"]


def main(reference_path: str, later_path: str, out: str) -> None:
    """Days on which the report of the day says so of any column, and of half of them."""
    reference, later = (pd.read_csv(path, parse_dates=["at"]) for path in (reference_path, later_path))
    features = [name for name in reference.columns if name not in OWN]
    reference = reference.iloc[::10]
    any_column, dataset = [], []
    for day, rows in later.groupby(later["at"].dt.strftime("%Y-%m-%d")):
        share = drifted(Report([DataDriftPreset()]).run(rows[features], reference[features]).dict())
        any_column += [day] if share > 0 else []
        dataset += [day] if share >= 0.5 else []
    found = {"Evidently, any column": any_column, "Evidently, half of the columns": dataset}
    Path(out).write_text(json.dumps(found), encoding="utf-8")


def drifted(report: dict) -> float:
    """The share of columns that the preset calls drifted."""
    metrics = report["metrics"]
    return float(next(one["value"]["share"] for one in metrics if "DriftedColumnsCount" in one["metric_name"]))


if __name__ == "__main__":
    main(*sys.argv[1:])
