"""The bare bound: read a Parquet file batch by batch and fill one histogram per column, nothing else.

`bound.py CURRENT OUT`: floats go into 1,024 cells of one width (what `fast_histogram` is fastest at), texts into
counts of their dictionary. What Parquet itself says gives the ends.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from fast_histogram import histogram1d

current, out = sys.argv[1:]
schema = pq.read_schema(current)
numbers = [field.name for field in schema if str(field.type) == "double"]
texts = [field.name for field in schema if field.name not in numbers]
file = pq.ParquetFile(current, read_dictionary=texts)
ends = {}
for place, name in enumerate(schema.names):
    parts = [file.metadata.row_group(at).column(place).statistics for at in range(file.num_row_groups)]
    ends[name] = (min(part.min for part in parts), max(part.max for part in parts))
filled = {name: np.zeros(1024) for name in numbers}
counted = {name: Counter() for name in texts}
for batch in file.iter_batches(batch_size=65_536):
    for name in numbers:
        filled[name] += histogram1d(batch.column(name).to_numpy(), bins=1024, range=ends[name])
    for name in texts:
        column = batch.column(name)
        counts = np.bincount(column.indices.to_numpy(), minlength=len(column.dictionary))
        counted[name].update(dict(zip(column.dictionary.to_pylist(), counts.tolist(), strict=True)))
Path(out).write_text(
    json.dumps({"columns": len(filled) + len(counted), "rows": sum(counted[texts[0]].values())}), encoding="utf-8"
)
