"""V10: what a Ray cluster counts is what one process counts, bins fitted and not, byte for byte."""

from __future__ import annotations

import os
import subprocess
import sys

import peers
from benchmarks.profile.tables import write
from benchmarks.rows import Row, at_least
from benchmarks.target import Options


def measure(options: Options) -> list[Row]:
    """The row: 1 when the bytes of both profiles are equal."""
    parts, rows = (4, 20_000) if options.is_quick else (10, 100_000)
    folder = options.folder / "parts"
    folder.mkdir()
    for part in range(parts):
        write(folder / f"{part:02d}.parquet", rows, options.seed + part)
    (site,) = peers.python("ray").parents[1].glob("lib/python*/site-packages")
    path = os.pathsep.join([*filter(None, sys.path), str(site)])
    argv = [sys.executable, "-W", "ignore", peers.HERE / "ray" / "profile.py", folder]
    said = subprocess.run(argv, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=True)
    is_equal = said.stdout.split() == ["equal", str(parts * rows)]
    claim = f"{parts} files of {rows:,} rows, 50 columns: bytes of the profile equal those of one process"
    return [at_least("V10", claim, float(is_equal), 1.0, "1 if equal", parts * rows, "ray")]
