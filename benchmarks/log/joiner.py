"""The process of L8 that is killed again and again: it delivers labels in batches and measures in between.

`python -m benchmarks.log.joiner HOME DELIVERIES JOURNAL SIZE`. It sends at least once: a batch that was begun and not
noted as done is sent again, and the journal says whether its first sending had been kept.
"""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

from benchmarks.log.label_home import MODEL, LabelHome
from gyroscope.clock import EventTime
from gyroscope.records import Label

MEASURE_EVERY = 8


def deliver(home: LabelHome, delivered: pl.DataFrame, journal: Path, size: int) -> None:
    """Deliver what the journal does not have as done."""
    at = _resume(home, journal, size, len(delivered))
    with journal.open("a", buffering=1) as told:
        told.write("ready\n")
        while at * size < len(delivered):
            batch = delivered[at * size : (at + 1) * size]
            told.write(f"begin {at} {sum(home.labels.counts(MODEL).values())}\n")
            now = EventTime(int(batch["arrives"].max()))
            home.labels.add(MODEL, labels_of(batch), now)
            told.write(f"done {at}\n")
            if at % MEASURE_EVERY == 0:
                home.measure(now)
            at += 1
        told.write("end\n")


def labels_of(batch: pl.DataFrame) -> list[Label]:
    """Rows of a ledger as labels."""
    names = ("request_id", "value", "row", "labeled_at")
    return [
        Label(request_id=request_id, value=float(value), row=row, labeled_at=EventTime(labeled_at))
        for request_id, value, row, labeled_at in batch.select(names).iter_rows()
    ]


def resent(journal: Path) -> int:
    """Labels that were delivered once more although their first delivery had been kept."""
    return sum(int(line.split()[2]) for line in journal.read_text().splitlines() if line.startswith("again"))


def _resume(home: LabelHome, journal: Path, size: int, total: int) -> int:
    """The batch to go on with; notes whether the one that was begun last had been kept."""
    lines = [line.split() for line in journal.read_text().splitlines()] if journal.exists() else []
    done = max((int(words[1]) for words in lines if words[0] == "done"), default=-1)
    begun = [words for words in lines if words[0] == "begin" and int(words[1]) > done]
    if begun:
        kept = sum(home.labels.counts(MODEL).values()) - int(begun[-1][2])
        with journal.open("a") as told:
            told.write(f"again {done + 1} {kept}\n")
    return done + 1


if __name__ == "__main__":
    folder, ledger, journal_path, batch_size = sys.argv[1:]
    deliver(LabelHome(Path(folder)), pl.read_parquet(ledger), Path(journal_path), int(batch_size))
