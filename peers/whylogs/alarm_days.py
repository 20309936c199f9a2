"""Days on which whylogs' drift scores call a column drifted: `alarm_days.py REFERENCE.csv LATER.csv OUT.json`.

The scores are in the package of its notebooks, which is entered without them.
"""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path

import pandas as pd
import whylogs

# The package's own start-up wants a notebook; the scores in it do not.
notebooks = types.ModuleType("whylogs.viz")
notebooks.__path__ = [str(Path(whylogs.__file__).parent / "viz")]
sys.modules["whylogs.viz"] = notebooks

OWN = ["score", "said", "late", "at"]


def main(reference_path: str, later_path: str, out: str) -> None:
    """Profiles of the days against that of the reference, with its own thresholds."""
    from whylogs.viz.drift.column_drift_algorithms import calculate_drift_scores

    reference, later = (pd.read_csv(path, parse_dates=["at"]) for path in (reference_path, later_path))
    before = whylogs.log(pandas=reference.drop(columns=OWN)).view()
    found = []
    for day, rows in later.groupby(later["at"].dt.strftime("%Y-%m-%d")):
        now = whylogs.log(pandas=rows.drop(columns=OWN)).view()
        scores = calculate_drift_scores(target_view=now, reference_view=before, with_thresholds=True)
        if any(score and score["drift_category"] == "DRIFT" for score in scores.values()):
            found.append(day)
    Path(out).write_text(json.dumps({"whylogs, any column": found}), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
