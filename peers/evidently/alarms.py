"""Evidently's data drift preset, window after window, as its quick start has it: `alarms.py OUT MONTH...`.

A report of 50 columns draws 180 figures, which takes half a minute and decides nothing. Each column is therefore asked
by the test that the preset chooses for it; the first window of all is also asked by a whole report, which must agree.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from evidently import Dataset, Report
from evidently.legacy.calculations.stattests import get_stattest
from evidently.presets import DataDriftPreset


def drifted(month: str, *, is_checked: bool) -> list[bool]:
    """Whether any column of each later window is said to have drifted."""
    with np.load(month) as held:
        frame = pd.DataFrame({f"n{place}": column for place, column in enumerate(held["numbers"].T)})
        for place, column in enumerate(held["texts"].T):
            frame[f"t{place}"] = pd.Series(column).map("c{}".format).astype(object)
        ends, reference = np.cumsum(held["sizes"]), int(held["reference"])
    before = frame[: ends[reference - 1]]
    known = {name: before[name].dropna() for name in frame}
    found = []
    for start, end in zip(ends[reference - 1 : -1], ends[reference:], strict=True):
        now = frame[start:end]
        types = Dataset.from_pandas(now).data_definition
        count = 0
        for name, values in known.items():
            kind, current = types.get_column_type(name), now[name].dropna()
            count += get_stattest(values, current, kind, None)(values, current, kind, None).drifted
        if is_checked and not found:
            assert count == reported(before, now), "the tests of the columns and the report disagree"
        found.append(bool(count))
    return found


def reported(before: pd.DataFrame, now: pd.DataFrame) -> int:
    """The drifted columns that a whole report counts."""
    report = Report([DataDriftPreset()]).run(now, before).dict()
    counts = [one for one in report["metrics"] if one["metric_name"].startswith("DriftedColumnsCount")]
    return int(counts[0]["value"]["count"])


out, *months = sys.argv[1:]
Path(out).write_text(json.dumps([drifted(month, is_checked=month == months[0]) for month in months]), encoding="utf-8")
