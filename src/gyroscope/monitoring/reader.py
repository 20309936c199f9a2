"""From the tables to folds: reads each new file once, forgets those that are gone, keeps recent rows for their labels.

The loop calls `fold_some` each round and `scored` for the days to be tallied. It never writes a table or measures.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Set
from typing import Any

from numpy.typing import NDArray

from gyroscope.models.blocks import Blocks
from gyroscope.monitoring.cache import Cache
from gyroscope.monitoring.fold import Cell, Lens, Scored, fold_rows, wanted_columns
from gyroscope.predictions.table import Table, TableFile

Lenses = Mapping[str, Lens]

# Rows whose ids and outputs stay in memory until their labels come: about 40 MB. Older ones are read again.
ROWS_KEPT = 200_000


class Reader:
    """The tables of all models as this process has seen them."""

    def __init__(self, tables: Callable[[str], Table], cache: Cache, blocks: Blocks) -> None:
        self._open = tables
        self._cache = cache
        self._blocks = blocks
        self._tables: dict[str, Table] = {}
        self._files: dict[str, list[TableFile]] = {}
        # The commit of the table up to which everything is folded; absent where something is still to be done.
        self._done: dict[str, int] = {}
        self._backlog: dict[str, set[str]] = {}
        self._recent: OrderedDict[tuple[str, str], dict[Cell, Scored]] = OrderedDict()
        self._rows_kept = 0

    def fold_some(self, model: str, lenses: Lenses, limit: int) -> int:
        """Fold at most `limit` new files and drop those that left the table; returns how many changed."""
        version = self._table(model).version()
        if self._done.get(model) == version:
            return 0
        self._done.pop(model, None)
        self._files[model] = self._table(model).files()
        known = self._cache.files(model)
        gone = known - {file.path for file in self._files[model]}
        new = [file for file in self._files[model] if file.path not in known]
        # A rewritten file goes together with its successor, so its rows are never missing from a window in between.
        steps = [new] if gone else [[file] for file in new[:limit]]
        for step in steps:
            self._replace(model, gone, step, lenses)
        left = [] if gone else new[limit:]
        self._backlog[model] = {file.day for file in left}
        if not left:
            self._done[model] = version
        return len(gone) + len(new) - len(left)

    def forget(self, model: str, version: str) -> None:
        """The bins of a version have changed: every file with rows of it is to be folded anew."""
        self._cache.drop_version(model, version)
        self._done.pop(model, None)

    def backlog(self, model: str) -> set[str]:
        """The days with files that are not folded yet: their windows are not to be measured."""
        return self._backlog.get(model, set())

    def scored(self, model: str, day: str, lenses: Lenses) -> Iterator[Mapping[Cell, Scored]]:
        """The scored rows of one day, file by file."""
        for file in self.files_of(model, {day}):
            if (model, file.path) not in self._recent:
                _, scored = fold_rows(self.rows(model, file, lenses), file.day, lenses, self._blocks)
                self._remember(model, file, scored)
            yield self._recent[model, file.path]

    def files_of(self, model: str, days: Set[str]) -> list[TableFile]:
        """The files of some days, as of the last `fold_some`."""
        return [file for file in self._files.get(model, []) if file.day in days]

    def rows(self, model: str, file: TableFile, lenses: Lenses) -> dict[str, NDArray[Any]]:
        """The columns of one file that folding needs."""
        return self._table(model).read(file, wanted_columns(lens.signature for lens in lenses.values()))

    def _replace(self, model: str, gone: Set[str], new: list[TableFile], lenses: Lenses) -> None:
        with self._cache.transaction():
            for path in gone:
                self._cache.drop_file(model, path)
            for file in new:
                folds, scored = fold_rows(self.rows(model, file, lenses), file.day, lenses, self._blocks)
                self._cache.add_file(model, file.path, file.day, folds)
                self._remember(model, file, scored)

    def _table(self, model: str) -> Table:
        if model not in self._tables:
            self._tables[model] = self._open(model)
        return self._tables[model]

    def _remember(self, model: str, file: TableFile, scored: dict[Cell, Scored]) -> None:
        self._rows_kept -= _rows(self._recent.pop((model, file.path), {}))
        self._recent[model, file.path] = scored
        self._rows_kept += _rows(scored)
        while self._rows_kept > ROWS_KEPT and len(self._recent) > 1:
            self._rows_kept -= _rows(self._recent.popitem(last=False)[1])


def _rows(scored: Mapping[Cell, Scored]) -> int:
    return sum(len(part.keys) for part in scored.values())
