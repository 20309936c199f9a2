"""whylogs' drift scores of profiles, window after window, with its own thresholds: `alarms.py OUT MONTH...`.

The scores are in the package of its notebooks, which is entered without them.
"""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd
import whylogs

# The package's own start-up wants a notebook; the scores in it do not.
notebooks = types.ModuleType("whylogs.viz")
notebooks.__path__ = [str(Path(whylogs.__file__).parent / "viz")]
sys.modules["whylogs.viz"] = notebooks


def drifted(month: str) -> list[bool]:
    """Whether any column of each later window is in the category DRIFT."""
    from whylogs.viz.drift.column_drift_algorithms import calculate_drift_scores

    with np.load(month) as held:
        frame = pd.DataFrame({f"n{place}": column for place, column in enumerate(held["numbers"].T)})
        for place, column in enumerate(held["texts"].T):
            frame[f"t{place}"] = pd.Series(column).map("c{}".format).astype(object)
        ends, reference = np.cumsum(held["sizes"]), int(held["reference"])
    before = whylogs.log(pandas=frame[: ends[reference - 1]]).view()
    found = []
    for start, end in zip(ends[reference - 1 : -1], ends[reference:], strict=True):
        now = whylogs.log(pandas=frame[start:end]).view()
        scores = calculate_drift_scores(target_view=now, reference_view=before, with_thresholds=True)
        found.append(any(score and score["drift_category"] == "DRIFT" for score in scores.values()))
    return found


out, *months = sys.argv[1:]
Path(out).write_text(json.dumps([drifted(month) for month in months]), encoding="utf-8")
