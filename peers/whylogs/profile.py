"""whylogs' profile of a table as its quick start has it: `profile.py CURRENT OUT`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
import whylogs

current, out = sys.argv[1:]
view = whylogs.log(pandas=pd.read_parquet(current)).view()
Path(out).write_text(json.dumps({"columns": len(view.to_pandas())}), encoding="utf-8")
