"""NannyML's univariate drift, a chunk per window, as its quick start has it: `alarms.py OUT MONTH...`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import nannyml
import numpy as np
import pandas as pd


def drifted(month: str) -> list[bool]:
    """Whether any column of each later window alerts. Chunks are days, as the windows are."""
    with np.load(month) as held:
        frame = pd.DataFrame({f"n{place}": column for place, column in enumerate(held["numbers"].T)})
        for place, column in enumerate(held["texts"].T):
            frame[f"t{place}"] = pd.Series(column).map("c{}".format).astype("category")
        sizes, reference = held["sizes"], int(held["reference"])
    names = list(frame.columns)
    frame["day"] = np.repeat(pd.date_range("2024-01-01", periods=len(sizes)), sizes)
    end = int(sizes[:reference].sum())
    calculator = nannyml.UnivariateDriftCalculator(column_names=names, timestamp_column_name="day", chunk_period="D")
    calculator.fit(frame[:end])
    found = calculator.calculate(frame[end:]).filter(period="analysis").to_df()
    alerts = found.loc[:, [column for column in found.columns if column[-1] == "alert"]]
    return [bool(alert) for alert in alerts.to_numpy().astype(bool).any(axis=1)]


out, *months = sys.argv[1:]
Path(out).write_text(json.dumps([drifted(month) for month in months]), encoding="utf-8")
