"""Evidently's data drift preset, window after window, as its quick start has it: `alarms.py OUT MONTH...`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset


def drifted(month: str) -> list[bool]:
    """Whether any column of each later window is said to have drifted."""
    with np.load(month) as held:
        frame = pd.DataFrame({f"n{place}": column for place, column in enumerate(held["numbers"].T)})
        for place, column in enumerate(held["texts"].T):
            frame[f"t{place}"] = pd.Series(column).map("c{}".format).astype(object)
        ends, reference = np.cumsum(held["sizes"]), int(held["reference"])
    before = frame[: ends[reference - 1]]
    found = []
    for start, end in zip(ends[reference - 1 : -1], ends[reference:], strict=True):
        report = Report([DataDriftPreset()]).run(frame[start:end], before).dict()
        counts = [metric for metric in report["metrics"] if metric["metric_name"].startswith("DriftedColumnsCount")]
        found.append(counts[0]["value"]["count"] > 0)
    return found


out, *months = sys.argv[1:]
Path(out).write_text(json.dumps([drifted(month) for month in months]), encoding="utf-8")
