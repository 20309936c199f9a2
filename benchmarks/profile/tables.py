"""The tables of the profile rows: 40 floats, 10 texts of 20 levels, a tenth of the columns moved a little.

`v01_whole.py` and `v06_stored.py` call this.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

FLOATS, TEXTS, LEVELS = 40, 10, 20
GROUP_ROWS = 100_000


def columns(rows: int, seed: int, shift: float = 0.0) -> dict[str, np.ndarray]:
    """A table as arrays; every tenth float is moved by `shift` standard deviations."""
    rng = np.random.default_rng(seed)
    floats = {f"f{place:02d}": _float(rng, place, rows, shift) for place in range(FLOATS)}
    levels = np.array([f"level_{level:02d}" for level in range(LEVELS)], dtype=object)
    return {**floats, **{f"s{place}": levels[rng.integers(0, LEVELS, rows)] for place in range(TEXTS)}}


def write(path: Path, rows: int, seed: int, shift: float = 0.0, times: int = 1) -> Path:
    """The table as Parquet, `times` times over, in the form pandas writes by default."""
    import duckdb

    once = path if times == 1 else path.with_suffix(".once.parquet")
    pl.DataFrame(columns(rows, seed, shift)).write_parquet(once, compression="snappy", row_group_size=GROUP_ROWS)
    if times > 1:
        rows = f"SELECT t.* FROM read_parquet('{once}') AS t, range({times})"
        with duckdb.connect() as database:
            database.execute(f"COPY ({rows}) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE {GROUP_ROWS})")
        once.unlink()
    return path


def _float(rng: np.random.Generator, place: int, rows: int, shift: float) -> np.ndarray:
    return rng.normal(shift if place % 10 == 0 else 0.0, 1 + place / 10, rows)
