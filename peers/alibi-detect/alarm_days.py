"""Days that alibi-detect's tabular drift calls drifted: `alarm_days.py REFERENCE.csv LATER.csv OUT.json`.

As its quick start says (5 %, Bonferroni over the columns). It takes no missing values: they are filled with the
reference's median.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
from alibi_detect.cd import TabularDrift

OWN = ["score", "said", "late", "at"]


def main(reference_path: str, later_path: str, out: str) -> None:
    """One detector, asked day by day."""
    reference, later = (pd.read_csv(path, parse_dates=["at"]) for path in (reference_path, later_path))
    every = pd.concat([reference, later], ignore_index=True)
    rows = every.drop(columns=OWN)
    kinds = {}
    for place, name in enumerate(rows.columns):
        if rows[name].dtype == object:
            # Its own reading of the reference: one that names more categories divides by none.
            rows[name], kinds[place] = pd.factorize(rows[name])[0], None
        else:
            rows[name] = rows[name].fillna(rows[name][: len(reference)].median())
    known, current = rows[: len(reference)], rows[len(reference) :]
    detector = TabularDrift(known.to_numpy(float), p_val=0.05, categories_per_feature=kinds)
    days = later["at"].dt.strftime("%Y-%m-%d").to_numpy()
    found = [day for day in dict.fromkeys(days) if _is_drift(detector, current[days == day])]
    Path(out).write_text(json.dumps({"alibi-detect, tabular": found}), encoding="utf-8")


def _is_drift(detector: TabularDrift, rows: pd.DataFrame) -> bool:
    return bool(detector.predict(rows.to_numpy(float))["data"]["is_drift"])


if __name__ == "__main__":
    main(*sys.argv[1:])
