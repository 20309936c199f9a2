"""Days on which Evidently's drift preset finds a drifted column: `alarm_days.py REFERENCE.csv LATER.csv OUT.json`.

Each column is asked by the test that the preset chooses for it, against the whole reference; the first day is also
asked by a whole report, which must agree. Reports of all days would draw 20,000 figures.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
from evidently import Dataset, Report
from evidently.legacy.calculations.stattests import get_stattest
from evidently.presets import DataDriftPreset

OWN = ["score", "said", "late", "at"]


def main(reference_path: str, later_path: str, out: str) -> None:
    """Days on which the tests of the day say so of any column, and of half of them."""
    reference, later = (pd.read_csv(path, parse_dates=["at"]) for path in (reference_path, later_path))
    features = [name for name in reference.columns if name not in OWN]
    known = {name: reference[name].dropna() for name in features}
    shares = {}
    for day, rows in later.groupby(later["at"].dt.strftime("%Y-%m-%d")):
        now = rows[features]
        types = Dataset.from_pandas(now).data_definition
        drifted = 0
        for name, values in known.items():
            kind, current = types.get_column_type(name), now[name].dropna()
            # It refuses a column without any value, as weather is on some days.
            if len(current):
                drifted += get_stattest(values, current, kind, None)(values, current, kind, None).drifted
        if not shares:
            assert drifted == reported(reference[features], now), "the tests of the columns and the report disagree"
        shares[day] = drifted / len(features)
    found = {
        "Evidently, any column": [day for day, share in shares.items() if share > 0],
        "Evidently, half of the columns": [day for day, share in shares.items() if share >= 0.5],
    }
    Path(out).write_text(json.dumps(found), encoding="utf-8")


def reported(reference: pd.DataFrame, now: pd.DataFrame) -> int:
    """The drifted columns that a whole report counts."""
    report = Report([DataDriftPreset()]).run(now, reference).dict()
    counts = [one for one in report["metrics"] if one["metric_name"].startswith("DriftedColumnsCount")]
    return int(counts[0]["value"]["count"])


if __name__ == "__main__":
    main(*sys.argv[1:])
