"""The verdict after a fault: what the client's ledger says against what the table and the index of ids hold.

Reads the Parquet files that the table's own log names, by DuckDB. It never goes through the product's readers.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import duckdb
import msgspec
import numpy as np
from deltalake import DeltaTable
from numpy.typing import NDArray

from benchmarks.house import MODEL, Running
from benchmarks.ledger import acknowledged, read, request_id
from gyroscope.predictions.ids.index import IdIndex, ids_path

COLUMNS = "try_cast(substr(request_id, 3) AS BIGINT) AS n, request_id, row, answered, status, output_0, feature_number"


class Verdict(msgspec.Struct):
    """How many of each kind; all but the first two must be 0. `unindexed`: answered rows that the index has not."""

    acknowledged: int = 0
    rows: int = 0
    lost: int = 0
    wrong: int = 0
    phantom: int = 0
    answered_twice: int = 0
    unindexed: int = 0

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.wrong or self.phantom or self.answered_twice or self.unindexed)


def settle(
    house: Running, ledger: Path, patience_s: float = 30.0, since_ns: int = 0, dark: Sequence[tuple[int, int]] = ()
) -> Verdict:
    """Wait until every acknowledged request that was due since then is in the table, then judge all that is in it.

    What was answered in a stretch of `dark` proves nothing either way.
    """
    book = acknowledged(read(ledger))
    book = book[book["due_ns"] >= since_ns]
    heard = book["due_ns"] + book["took_ns"]
    for begin, end in dark:
        book, heard = book[(heard < begin) | (heard > end)], heard[(heard < begin) | (heard > end)]
    give_up = time.monotonic() + patience_s
    while True:
        rows = table_rows(house)
        verdict = judge(house, ledger, book, rows)
        if verdict.is_clean or time.monotonic() > give_up:
            return verdict
        time.sleep(0.25)


def judge(house: Running, ledger: Path, book: NDArray[np.void], rows: dict[str, NDArray[np.generic]]) -> Verdict:
    """Compare the acknowledged part of a ledger with rows of the table."""
    good = rows["answered"].astype(bool) & (rows["status"] == 200)
    numbers, counts = np.unique(rows["n"][good], return_counts=True)
    missing = ~np.isin(book["n"], numbers)
    everything = read(ledger)
    highest = (int(everything["n"].max()) if len(everything) else -1) + 1_000
    sent = (rows["n"] >= 0) & (rows["n"] <= highest)
    wrong = np.count_nonzero(rows["output_0"][good] != 2.0 * rows["n"][good])
    wrong += np.count_nonzero(rows["feature_number"][good] != rows["n"][good])
    wrong += np.count_nonzero(book["output"] != 2.0 * book["n"])
    return Verdict(
        acknowledged=len(book),
        rows=len(rows["n"]),
        lost=int(np.count_nonzero(missing)),
        wrong=int(wrong),
        phantom=int(np.count_nonzero(~sent)),
        answered_twice=int(np.count_nonzero(counts > 1)),
        unindexed=_unindexed(house, book["n"][~missing]),
    )


def table_rows(house: Running) -> dict[str, NDArray[np.generic]]:
    """The columns that matter of every row; empty ones before the first commit."""
    path = house.house.home / "tables" / MODEL
    files = DeltaTable(str(path)).file_uris() if (path / "_delta_log").is_dir() else []
    names = ("n", "request_id", "row", "answered", "status", "output_0", "feature_number")
    if not files:
        return {name: np.empty(0, dtype=np.int64) for name in names}
    with duckdb.connect(config={"threads": 2}) as connection:
        query = f"SELECT {COLUMNS} FROM read_parquet($1, union_by_name=true, hive_partitioning=false)"
        found = connection.execute(query, [files]).fetchnumpy()
    return {name: np.ma.filled(np.ma.asarray(found[name]), -1) for name in names}


def _unindexed(house: Running, numbers: NDArray[np.int64], most: int = 20_000) -> int:
    """The newest of these requests that the index of ids does not place."""
    index = IdIndex.reading(ids_path(house.house.home, MODEL))
    newest = np.sort(numbers)[-most:]
    if index is None:
        return len(newest)
    try:
        return len(newest) - len(index.places([request_id(int(n)) for n in newest]))
    finally:
        index.close()
