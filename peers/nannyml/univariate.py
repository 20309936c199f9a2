"""NannyML's univariate drift as its quick start has it: `univariate.py REFERENCE CURRENT OUT`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import nannyml
import pandas as pd

reference, current, out = sys.argv[1:]
before, now = pd.read_parquet(reference), pd.read_parquet(current)
calculator = nannyml.UnivariateDriftCalculator(column_names=list(before.columns))
calculator.fit(before)
found = calculator.calculate(now).to_df()
Path(out).write_text(json.dumps({"columns": len(set(found.columns.get_level_values(0)) - {"chunk"})}), encoding="utf-8")
