"""Days on which NannyML alerts by default: `alarm_days.py REFERENCE.csv LATER.csv OUT.json`; a day is a chunk.

Univariate drift (any feature) and estimated performance (CBPE, any metric).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import nannyml
import pandas as pd

METRICS = ["roc_auc", "f1", "precision", "recall", "accuracy"]
OWN = ["score", "said", "late", "at"]


def main(reference_path: str, later_path: str, out: str) -> None:
    """Both, as lists of days."""
    reference, later = (pd.read_csv(path, parse_dates=["at"]) for path in (reference_path, later_path))
    features = [name for name in reference.columns if name not in OWN]
    drift = nannyml.UnivariateDriftCalculator(column_names=features, timestamp_column_name="at", chunk_period="D")
    drift.fit(reference)
    estimator = nannyml.CBPE(
        y_pred_proba="score",
        y_pred="said",
        y_true="late",
        timestamp_column_name="at",
        metrics=METRICS,
        chunk_period="D",
        problem_type="classification_binary",
    )
    estimator.fit(reference)
    found = {
        "NannyML, any feature": days(drift.calculate(later).filter(period="analysis").to_df()),
        "NannyML, CBPE": days(estimator.estimate(later).filter(period="analysis").to_df()),
    }
    Path(out).write_text(json.dumps(found), encoding="utf-8")


def days(table: pd.DataFrame) -> list[str]:
    """Of any alert."""
    alerts = table.loc[:, table.columns.get_level_values(-1) == "alert"].any(axis=1)
    starts = table["chunk"]["start_date"] if "start_date" in table["chunk"] else table["chunk"]["chunk"]["start_date"]
    return pd.to_datetime(starts[alerts]).dt.strftime("%Y-%m-%d").tolist()


if __name__ == "__main__":
    main(*sys.argv[1:])
