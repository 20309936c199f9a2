"""River's ADWIN on each numeric column, value after value, with its defaults: `alarms.py OUT MONTH...`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from river import drift


def drifted(month: str) -> list[bool]:
    """Whether any column's detector fired in each later window; they have read the reference before."""
    with np.load(month) as held:
        numbers, texts, sizes, reference = held["numbers"], held["texts"], held["sizes"], int(held["reference"])
    window = np.repeat(np.arange(len(sizes)), sizes)
    fired = np.zeros(len(sizes), bool)
    # Codes of categories are in the order of their frequency: as numbers they have a mean that can drift.
    for column in np.column_stack([numbers, texts]).T:
        detector = drift.ADWIN()
        here = ~np.isnan(column)
        for place, value in zip(window[here].tolist(), column[here].tolist(), strict=True):
            detector.update(value)
            if detector.drift_detected:
                fired[place] = True
    return [bool(flag) for flag in fired[reference:]]


out, *months = sys.argv[1:]
Path(out).write_text(json.dumps([drifted(month) for month in months]), encoding="utf-8")
