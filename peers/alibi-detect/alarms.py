"""alibi-detect's tabular drift, window after window, as its quick start has it: `alarms.py OUT MONTH...`.

It takes no missing values: they are filled with the reference's median.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from alibi_detect.cd import TabularDrift


def drifted(month: str) -> list[bool]:
    """Whether each later window is said to have drifted (5 %, Bonferroni over the columns)."""
    with np.load(month) as held:
        numbers, texts, sizes, reference = held["numbers"], held["texts"], held["sizes"], int(held["reference"])
    ends = np.cumsum(sizes)
    end = ends[reference - 1]
    numbers = np.where(np.isnan(numbers), np.nanmedian(numbers[:end], axis=0), numbers) if numbers.size else numbers
    rows = np.column_stack([numbers, texts.astype(float)])
    kinds = {numbers.shape[1] + place: list(range(int(texts[:, place].max()) + 1)) for place in range(texts.shape[1])}
    detector = TabularDrift(rows[:end], p_val=0.05, categories_per_feature=kinds)
    windows = zip(ends[reference - 1 : -1], ends[reference:], strict=True)
    return [bool(detector.predict(rows[start:stop])["data"]["is_drift"]) for start, stop in windows]


out, *months = sys.argv[1:]
Path(out).write_text(json.dumps([drifted(month) for month in months]), encoding="utf-8")
