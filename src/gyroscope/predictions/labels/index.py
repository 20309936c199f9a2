"""Where the labels of a row lie: sorted runs of hashes in the labels' own file, merged in tiers.

A random key in a B-tree costs a page per label; here a batch is one blob, and each label is written again once per
eightfold of what is stored. A hash is a hint: who finds a label compares its text. Only labels use this, inside their
transactions; runs never change, so what was read of one holds for ever.
"""

from __future__ import annotations

import sqlite3

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.predictions.ids.keys import Keys

SCHEMA = """
CREATE TABLE IF NOT EXISTS runs(
  id INTEGER PRIMARY KEY AUTOINCREMENT, model INTEGER NOT NULL, level INTEGER NOT NULL, count INTEGER NOT NULL,
  base INTEGER NOT NULL, hashes BLOB NOT NULL, offsets BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS runs_of_model ON runs(model, level, id, count);
"""
TIER = 8
# 48 MiB: merging more at once would hold up whoever adds labels for a good part of a second.
MOST_IN_A_RUN = 4_194_304
ROW_BITS = np.uint64(0xFFFF)

Hashes = NDArray[np.uint64]
Arrivals = NDArray[np.int64]
NOTHING: Arrivals = np.empty(0, dtype=np.int64)


class Run(msgspec.Struct, frozen=True):
    """Hashes in order, and for each the arrival of its label, counted from `base`."""

    hashes: Hashes
    offsets: NDArray[np.uint32]
    base: int

    def between(self, lowest: Hashes, highest: Hashes) -> tuple[NDArray[np.intp], Arrivals]:
        """Which of these ranges have something here (each as often as it has), and the arrivals that are there."""
        first = self.hashes.searchsorted(lowest)
        nearest = self.hashes.take(first, mode="clip")
        some = ((nearest >= lowest) & (nearest <= highest)).nonzero()[0]
        if not len(some):  # nearly always: most labels are the first of their row
            return some, NOTHING
        first = first[some]
        counts = self.hashes.searchsorted(highest[some], "right") - first
        places = np.arange(counts.sum()) + np.repeat(first - np.cumsum(counts) + counts, counts)
        return np.repeat(some, counts), self.offsets[places].astype(np.int64) + self.base


class LabelIndex:
    """The runs of all models as one connection sees them; `forget` after a transaction that was rolled back."""

    def __init__(self) -> None:
        self._runs: dict[int, dict[int, Run]] = {}

    def forget(self) -> None:
        """A number given to a run that was rolled back is given again."""
        self._runs.clear()

    def of_rows(self, db: sqlite3.Connection, model: int, hashes: Hashes) -> tuple[NDArray[np.bool_], Arrivals]:
        """Which of these hashes, given in order, are known, and the arrivals of all labels that have one of them."""
        return self._between(db, model, hashes, hashes)

    def of_ids(self, db: sqlite3.Connection, model: int, keys: Keys) -> Arrivals:
        """The arrivals of all labels of these requests, whatever their row; in order, each once."""
        lowest = np.sort(keys[:, 0] & ~ROW_BITS)
        return np.unique(self._between(db, model, lowest, lowest | ROW_BITS)[1])

    def add(self, db: sqlite3.Connection, model: int, hashes: Hashes, arrivals: Arrivals) -> None:
        """Take in labels; every eighth run of a size is merged with the seven others."""
        if len(hashes):
            _write(db, model, 0, hashes, arrivals)
            level = 0
            while self._merged(db, model, level):
                level += 1

    def _between(
        self, db: sqlite3.Connection, model: int, lowest: Hashes, highest: Hashes
    ) -> tuple[NDArray[np.bool_], Arrivals]:
        known = np.zeros(len(lowest), dtype=bool)
        found: list[Arrivals] = []
        for run in self._of_model(db, model):
            places, arrivals = run.between(lowest, highest)
            known[places] = True
            found.append(arrivals)
        return known, np.concatenate(found) if found else NOTHING

    def _of_model(self, db: sqlite3.Connection, model: int) -> list[Run]:
        """Runs by their number; what another process has merged away is dropped here."""
        known = self._runs.get(model, {})
        numbers = [row[0] for row in db.execute("SELECT id FROM runs WHERE model = ? ORDER BY id", (model,))]
        self._runs[model] = {number: known.get(number) or _read(db, number) for number in numbers}
        return list(self._runs[model].values())

    def _merged(self, db: sqlite3.Connection, model: int, level: int) -> bool:
        rows = db.execute("SELECT id, count FROM runs WHERE model = ? AND level = ?", (model, level)).fetchall()
        if len(rows) < TIER or sum(count for _, count in rows) > MOST_IN_A_RUN:
            return False
        runs = [_read(db, number) for number, _ in rows]
        arrivals = np.concatenate([run.offsets.astype(np.int64) + run.base for run in runs])
        _write(db, model, level + 1, np.concatenate([run.hashes for run in runs]), arrivals)
        for number, _ in rows:
            db.execute("DELETE FROM runs WHERE id = ?", (number,))
        return True


def row_hashes(keys: Keys, rows: NDArray[np.int64]) -> Hashes:
    """A number for a request and a row: the request above, the row in the lowest 16 bits, so that a request is a range.

    >>> [hex(one) for one in row_hashes(np.full((2, 2), 2**60, dtype=np.uint64), np.array([3, 99_999])).tolist()]
    ['0x1000000000000003', '0x100000000000ffff']
    """
    return (keys[:, 0] & ~ROW_BITS) | np.minimum(rows, 0xFFFF).astype(np.uint64)


def _read(db: sqlite3.Connection, number: int) -> Run:
    query = "SELECT base, hashes, offsets FROM runs WHERE id = ?"
    base, hashes, offsets = db.execute(query, (number,)).fetchone()
    return Run(np.frombuffer(hashes, dtype="<u8"), np.frombuffer(offsets, dtype="<u4"), base)


def _write(db: sqlite3.Connection, model: int, level: int, hashes: Hashes, arrivals: Arrivals) -> None:
    order = np.argsort(hashes, kind="stable")
    base = int(arrivals.min())
    db.execute(
        "INSERT INTO runs(model, level, count, base, hashes, offsets) VALUES(?,?,?,?,?,?)",
        (
            model,
            level,
            len(hashes),
            base,
            hashes[order].astype("<u8").tobytes(),
            (arrivals[order] - base).astype("<u4").tobytes(),
        ),
    )
