"""What must come out of L8 by Polars alone: the states of all labels, and counts and metrics of each window."""

from __future__ import annotations

import polars as pl

STATEMENT = ("request_id", "row", "value", "labeled_at")


def states(known: pl.DataFrame, delivered: pl.DataFrame, resent: int) -> dict[str, int]:
    """How many labels must be in each state once everything was settled; `resent` were delivered once more."""
    said = delivered.unique(STATEMENT)
    winners = _winners(delivered)
    joined = winners.join(known, on=("request_id", "row"), how="inner")
    return {
        "joined": len(joined),
        "pending": 0,
        "quarantined": len(winners) - len(joined),
        "duplicate": len(delivered) - len(said) + resent,
        "superseded": len(said) - len(winners),
        "refused": 0,
    }


def windows(known: pl.DataFrame, delivered: pl.DataFrame) -> pl.DataFrame:
    """Per version and day (UTC) of the prediction: counts and metrics of the labelled rows, at a threshold of 0.5."""
    joined = _winners(delivered).join(known, on=("request_id", "row"), how="inner")
    p, y = pl.col("output"), pl.col("value").cast(pl.Float64)
    said, was = p >= 0.5, pl.col("value") == 1
    ranked = joined.with_columns(
        day=pl.from_epoch("event_time", time_unit="us").dt.date().cast(pl.String),
    ).with_columns(rank=pl.col("output").rank("average").over("version", "day"))
    positives, n = pl.col("value").sum().cast(pl.Float64), pl.len().cast(pl.Float64)
    found = ranked.group_by("version", "day").agg(
        n=pl.len(),
        tp=(said & was).sum(),
        fp=(said & ~was).sum(),
        fn=(~said & was).sum(),
        brier=((p - y) ** 2).mean(),
        log_loss=-(y * p.log() + (1 - y) * (1 - p).log()).mean(),
        auc=(pl.col("rank").filter(was).sum() - positives * (positives + 1) / 2) / (positives * (n - positives)),
    )
    return found.with_columns(
        accuracy=(pl.col("n") - pl.col("fp") - pl.col("fn")) / pl.col("n"),
        precision=pl.col("tp") / (pl.col("tp") + pl.col("fp")),
        recall=pl.col("tp") / (pl.col("tp") + pl.col("fn")),
    ).sort("version", "day")


def _winners(delivered: pl.DataFrame) -> pl.DataFrame:
    """The last statement about each row."""
    return (
        delivered.unique(STATEMENT).sort("labeled_at").unique(("request_id", "row"), keep="last", maintain_order=True)
    )
