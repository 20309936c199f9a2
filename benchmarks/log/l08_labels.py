"""L8: labels doubled, shuffled, late, unknown, early and corrected, while the joiner is killed every two seconds.

What the product then says is held against `label_truth.py`, which knows only the raw ledgers: states of labels and
counts of windows exactly, metrics to 1e-12. Then the same labels in three other orders.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from rich.progress import Progress

from benchmarks.log.joiner import labels_of, resent
from benchmarks.log.label_home import MODEL, LabelHome
from benchmarks.log.label_ledgers import DAY_US, VERSIONS, deliveries, predictions
from benchmarks.log.label_truth import states, windows
from benchmarks.rows import Row, at_least, at_most, control, with_control
from benchmarks.target import Options
from gyroscope.clock import EventTime, wall_now
from gyroscope.records import NotEnoughData
from gyroscope.stats.performance import metrics

KILL_EVERY_S = 2.0
PERMUTATIONS = 3
COUNTED = ("n", "tp", "fp", "fn")
MEASURED = ("accuracy", "precision", "recall", "brier", "log_loss", "auc")


class Compared(NamedTuple):
    """How far the product is from the truth."""

    off_states: int
    off_counts: int
    off_metrics: float
    windows: int


def measure(options: Options) -> list[Row]:
    """Kills, then permutations, then a control in which every delivery is a statement of its own."""
    n = 100_000 if options.is_quick else 1_000_000
    rng = np.random.default_rng(options.seed)
    start = wall_now() // DAY_US * DAY_US - 31 * DAY_US
    known = predictions(n, start, rng)
    delivered = deliveries(known, rng)
    home = LabelHome(options.folder / "home")
    versions = {name: home.version(name) for name in VERSIONS}
    kills, again = join_under_kills(home, known, delivered, versions, options.folder)
    found = compare(home, known, delivered, versions, again)
    print(f"L8: {len(delivered):,} labels, {kills} kills, {again} labels sent again; {home.labels.counts(MODEL)}")
    orders = [
        compare(_in_order(home.twin(options.folder / f"order-{turn}"), _shuffled(delivered, turn + options.seed)),
                known, delivered, versions, 0)
        for turn in range(PERMUTATIONS)
    ]  # fmt: skip
    every = [found, *orders]
    rows = [
        at_least("L8", "the joiner was killed", kills, 1, "kills", len(delivered)),
        at_most("L8", "labels off the exact balance of states", found.off_states, 0, "labels", len(delivered)),
        at_most("L8", "counts per window and version that differ from Polars", found.off_counts, 0, "counts",
                found.windows, "Polars"),
        at_most("L8", "largest difference of a metric", found.off_metrics, 1e-12, "", found.windows, "Polars"),
        at_most("L8", f"off in {PERMUTATIONS} other orders of arrival",
                sum(one.off_states + one.off_counts for one in orders), 0, "counts", len(delivered)),
        at_most("L8", "largest difference of a metric in any order", max(one.off_metrics for one in every), 1e-12, "",
                found.windows, "Polars"),
    ]  # fmt: skip
    blind = _in_order(home.twin(options.folder / "control"), _each_its_own(delivered))
    off = compare(blind, known, delivered, versions, 0).off_states
    return with_control(rows, control("L8", "no two deliveries count as the same, labels off", off, "labels", n))


def join_under_kills(
    home: LabelHome, known: pl.DataFrame, delivered: pl.DataFrame, versions: dict[str, object], folder: Path
) -> tuple[int, int]:
    """(kills, labels delivered twice). Half of the predictions come after the early labels, half when half are in."""
    ledger, journal = folder / "deliveries.parquet", folder / "journal"
    delivered.write_parquet(ledger)
    size = 1_000 if len(delivered) < 500_000 else 2_000
    argv = [sys.executable, "-m", "benchmarks.log.joiner", str(home.folder), str(ledger), str(journal), str(size)]
    half, kills, recorded = len(known) // 2, 0, 0
    journal.touch()
    with Progress(transient=True) as progress:
        bar = progress.add_task("L8 labels", total=len(delivered))
        while not _told(journal, "end"):
            starts = _told(journal, "ready")
            joiner = subprocess.Popen(argv)
            while _told(journal, "ready") == starts and joiner.poll() is None:
                time.sleep(0.01)
            killed_at = time.monotonic() + KILL_EVERY_S
            while time.monotonic() < killed_at and joiner.poll() is None:
                done = _told(journal, "done") * size
                progress.update(bar, completed=min(done, len(delivered)))
                due = 2 if done > len(delivered) // 2 else 1 if done > int(delivered["is_early"].sum()) else 0
                while recorded < due:
                    home.record(known[:half] if recorded == 0 else known[half:], versions)  # type: ignore[arg-type]
                    recorded += 1
                time.sleep(0.02)
            kills += joiner.poll() is None
            joiner.kill()
            if joiner.wait() > 0:
                raise RuntimeError("the joiner ended by itself; its complaint is above")
    return kills, resent(journal)


def compare(
    home: LabelHome, known: pl.DataFrame, delivered: pl.DataFrame, versions: dict[str, object], again: int
) -> Compared:
    """Settle everything, then hold states, counts and metrics against the truth."""
    now = EventTime(int(delivered["arrives"].max()) + 31 * DAY_US)
    home.measure(now, final=True)
    counts, wanted = home.labels.counts(MODEL), states(known, delivered, again)
    off_states = sum(abs(counts[name] - wanted[name]) for name in wanted)
    if off_states:
        print(f"L8: {counts} instead of {wanted}")
    off_counts, off_metrics, truth = 0, 0.0, windows(known, delivered)
    for row in truth.iter_rows(named=True):
        given = _window(home, versions[row["version"]].version, row["day"])  # type: ignore[attr-defined]
        off_counts += sum(given.get(name) != row[name] for name in COUNTED)
        off_metrics = max([off_metrics, *(abs(given.get(name, np.inf) - row[name]) for name in MEASURED)])
    return Compared(off_states, off_counts, float(off_metrics), len(truth))


def _window(home: LabelHome, version: str, day: str) -> dict[str, float]:
    """Counts and metrics of one day of one version, as the product has them."""
    start = int(np.datetime64(day, "us").astype(np.int64))
    outcomes = home.monitor.outcomes(MODEL, version, EventTime(start), EventTime(start + 1))
    if isinstance(outcomes, NotEnoughData):
        return {}
    found = metrics(outcomes)
    given = {name: found[name].value for name in MEASURED if not isinstance(found[name], NotEnoughData)}
    said, was, union = (found[name].n for name in ("precision", "recall", "f1"))
    tp = said + was - union
    return {**given, "n": outcomes.n, "tp": tp, "fp": said - tp, "fn": was - tp}


def _in_order(home: LabelHome, delivered: pl.DataFrame) -> LabelHome:
    """All labels in this order, without kills."""
    now = EventTime(int(delivered["arrives"].max()))
    for start in range(0, len(delivered), 20_000):
        home.labels.add(MODEL, labels_of(delivered[start : start + 20_000]), now)
    return home


def _shuffled(delivered: pl.DataFrame, seed: int) -> pl.DataFrame:
    return delivered.sample(fraction=1.0, shuffle=True, seed=seed)


def _each_its_own(delivered: pl.DataFrame) -> pl.DataFrame:
    """What dropping the key of duplicates comes to: a microsecond makes every delivery a statement of its own."""
    return delivered.with_columns(labeled_at=pl.col("labeled_at") + pl.int_range(pl.len()) % 1_000_000)


def _told(journal: Path, word: str) -> int:
    return sum(line.startswith(word) for line in journal.read_text().splitlines())
