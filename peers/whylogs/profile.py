"""whylogs' profile of a table as its quick start has it: `profile.py CURRENT OUT`."""

from __future__ import annotations

import json
import sys

import pandas as pd
import whylogs

current, out = sys.argv[1:]
view = whylogs.log(pandas=pd.read_parquet(current)).view()
with open(out, "w") as written:  # noqa: PTH123
    json.dump({"columns": len(view.to_pandas())}, written)
