"""A profile that a Ray cluster counted is the one that this process counts, byte for byte."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

import peers


def test_ray_counts_what_one_process_counts(peer_python: Callable[[str], Path], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for part in range(4):
        texts = [["a", "b", None][pick] for pick in rng.integers(0, 3, 20_000)]
        pl.DataFrame({"x": rng.normal(size=20_000), "t": texts}).write_parquet(tmp_path / f"{part}.parquet")
    (site,) = peer_python("ray").parents[1].glob("lib/python*/site-packages")
    # Ours first: both bring numpy.
    path = os.pathsep.join([*filter(None, sys.path), str(site)])
    argv = [sys.executable, "-W", "ignore", str(peers.HERE / "ray" / "profile.py"), str(tmp_path)]
    said = subprocess.run(argv, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert said.stdout.split() == ["equal", "80000"], said.stderr[-2_000:]
