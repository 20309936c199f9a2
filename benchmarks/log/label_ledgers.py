"""The raw ledgers of L8: predictions, and labels in the order of their arrival with everything that goes wrong.

Shares as the issue says. Outputs are multiples of 1/128, so that a curve over bins is the curve itself. From these
files alone `label_truth.py` says what must come out; nothing here knows the product.
"""

from __future__ import annotations

import numpy as np
import polars as pl

DAY_US, HOUR_US = 86_400_000_000, 3_600_000_000
DAYS = 30
VERSIONS = ("a", "b")


def predictions(n: int, start_us: int, rng: np.random.Generator) -> pl.DataFrame:
    """One row per predicted row, in the order of event time; every tenth request has two."""
    rows = np.where(np.arange(n) % 10 == 0, 2, 1)
    event = np.sort(start_us + rng.integers(0, DAYS * DAY_US, n))
    version = rng.integers(0, len(VERSIONS), n)
    request = np.repeat(np.arange(n), rows)
    row = np.arange(len(request)) - np.repeat(np.cumsum(rows) - rows, rows)
    output = rng.integers(1, 128, len(request)) / 128
    return pl.DataFrame(
        {
            "request_id": [f"p-{number:09d}" for number in request.tolist()],
            "row": row,
            "event_time": event[request],
            "version": np.array(VERSIONS)[version[request]],
            "output": output,
            "truth": (rng.random(len(request)) < output).astype(np.int64),
        }
    )


def deliveries(known: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Labels as they arrive, at `arrives`; those with `is_early` come before any prediction is indexed."""
    labelled = known.filter(pl.Series(rng.random(len(known)) < 0.8))
    n = len(labelled)
    labeled_at = labelled["event_time"].to_numpy() + rng.integers(HOUR_US, 2 * DAY_US, n)
    first = pl.DataFrame(
        {
            "request_id": labelled["request_id"],
            "row": labelled["row"],
            "value": labelled["truth"],
            "labeled_at": labeled_at,
            "arrives": labeled_at + rng.integers(0, HOUR_US, n),
            "is_early": rng.random(n) < 0.01,
        }
    )
    doubled = _some(first, 0.05, rng).with_columns(arrives=pl.col("arrives") + HOUR_US)
    fixed = _some(first, 0.01, rng)
    corrections = [
        fixed.with_columns(
            value=1 - pl.col("value") if turn == 1 else pl.col("value"),
            labeled_at=pl.col("labeled_at") + turn * HOUR_US,
            arrives=pl.col("arrives") + pl.Series(rng.integers(0, 3 * DAY_US, len(fixed))),
        )
        for turn in (1, 2)
    ]
    unknown = _some(first, 0.01, rng).with_columns(
        request_id=pl.concat_str(pl.lit("unknown-"), pl.col("request_id")), is_early=pl.lit(False)
    )
    every = pl.concat([first, doubled, *corrections, unknown])
    late = rng.random(len(every))
    shift = np.where(late < 0.2, rng.integers(0, 30 * DAY_US, len(every)), 0)
    shift += np.where(rng.random(len(every)) < 0.02, 90 * DAY_US, 0)
    return every.with_columns(arrives=pl.col("arrives") + pl.Series(shift)).sort(
        pl.col("is_early").not_(), "arrives", maintain_order=True
    )


def _some(frame: pl.DataFrame, share: float, rng: np.random.Generator) -> pl.DataFrame:
    return frame.filter(pl.Series(rng.random(len(frame)) < share))
