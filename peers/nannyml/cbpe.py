"""NannyML's CBPE, as its quick start says, on chunks that are handed over; runs in NannyML's own environment.

`cbpe.py IN.npz OUT.json`: for each data set k arrays reference_k and later_k of rows (score, label, chunk).
Out comes per data set what it estimated of each later chunk, what was realised, and on which chunks it alerts.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import nannyml
import numpy as np
import pandas as pd

METRICS = ["roc_auc", "f1", "precision", "recall", "accuracy", "average_precision"]
DAY_0 = pd.Timestamp("2013-01-01")


def main(source: str, target: str) -> None:
    """Estimate every data set of the file."""
    given = np.load(source)
    found = []
    for k in range(int(given["sets"])):
        reference, later = (frame(given[f"{name}_{k}"]) for name in ("reference", "later"))
        found.append(estimate(reference, later))
    Path(target).write_text(json.dumps(found), encoding="utf-8")


def frame(rows: np.ndarray) -> pd.DataFrame:
    """Chunks become days, so that chunks of any size stay what they are."""
    score, label, chunk = rows
    return pd.DataFrame(
        {
            "score": score,
            "said": (score >= 0.5).astype(int),
            "label": label.astype(int),
            "at": DAY_0 + pd.to_timedelta(chunk, unit="D"),
        }
    )


def estimate(reference: pd.DataFrame, later: pd.DataFrame) -> dict[str, dict[str, list[float]]]:
    """Per metric lists over later chunks."""
    estimator = nannyml.CBPE(
        y_pred_proba="score",
        y_pred="said",
        y_true="label",
        timestamp_column_name="at",
        metrics=METRICS,
        chunk_period="D",
        problem_type="classification_binary",
    )
    estimator.fit(reference)
    table = estimator.estimate(later).filter(period="analysis").to_df()
    return {
        metric: {name: table[metric, name].astype(float).tolist() for name in ("value", "realized", "alert")}
        for metric in METRICS
    }


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
