"""From the tables to folds: reads each new file once, part by part, and forgets those that are gone.

The loop calls `fold_some` each round and `tallied` for the days to be tallied. Files may vanish while they are read
(they are compacted, erased, dropped by age): then the list is read again. It never writes a table or measures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import TypeVar

import msgspec

from gyroscope.clock import moment_of
from gyroscope.errors import StoreError
from gyroscope.models.blocks import Blocks
from gyroscope.monitoring.cache import Cache
from gyroscope.monitoring.fold import (
    Cell,
    Columns,
    Fold,
    Lens,
    fold_rows,
    merge_folds,
    wanted_columns,
)
from gyroscope.monitoring.tally import Tally, tally_rows
from gyroscope.predictions.tables.batches import KnownLabels, batches, labelled
from gyroscope.predictions.tables.dropped import dropped
from gyroscope.predictions.tables.table import SOURCE, Table, TableFile
from gyroscope.records import Window

Lenses = Mapping[str, Lens]
Done = TypeVar("Done")

# About half a second of work: a file of a million rows waits for no other, small ones come in dozens.
ROWS_A_ROUND = 300_000
TRIES = 3

REFUSED = (400, 422)
MOST_WORDS = 1_000
"""Refusals quote values: each may be worded in its own way."""

_COMPLAINTS = f"""
SELECT error, count(*) FROM {SOURCE}
WHERE list_contains($2, status) AND error IS NOT NULL AND epoch_us(event_time) >= $3 AND epoch_us(event_time) < $4
GROUP BY error ORDER BY 2 DESC LIMIT {MOST_WORDS}
"""  # noqa: S608  # fixed text


class Step(msgspec.Struct, frozen=True):
    """Files that leave and files that come instead, in one transaction: no row is missing or double in between."""

    gone: tuple[str, ...]
    new: tuple[TableFile, ...]


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

    def fold_some(self, model: str, lenses: Lenses, files: int, rows: int = ROWS_A_ROUND) -> int:
        """Fold new files, until so many files or rows are done, drop those that left the table; how many changed."""
        version = self._table(model).version()
        if self._done.get(model) == version:
            return 0
        self._done.pop(model, None)
        return self._retried(model, lambda: self._fold_some(model, lenses, files, rows))

    def forget(self, model: str, version: str) -> None:
        """The bins of a version have changed: every file with rows of it is to be folded anew."""
        self._cache.drop_version(model, version)
        self._done.pop(model, None)

    def backlog(self, model: str) -> set[str]:
        """The days with files that are not folded yet: their windows are not to be measured."""
        return self._backlog.get(model, set())

    def tallied(self, model: str, day: str, lenses: Lenses, labels: KnownLabels) -> dict[Cell, Tally]:
        """The tallies of the rows of one day that have a label."""
        signatures = [lens.signature for lens in lenses.values()]
        has_lists = any(signature.task == "ranking" for signature in signatures)
        columns = [*wanted_columns(signatures), *(["request_id"] if has_lists else [])]

        def work() -> dict[Cell, Tally]:
            files = self.files_of(model, {day})
            parts = labelled(self._table(model), files, columns, list(lenses), labels, others_too=has_lists)
            return tally_rows(parts, day, lenses, self._blocks)

        return self._retried(model, work)

    def complaints(self, model: str, stretch: Window) -> dict[str, int]:
        """The commonest words to those whose rows were refused in a stretch of event time, and how often they came."""
        days = {moment_of(at, self._blocks.zone).date().isoformat() for at in (stretch.start, stretch.end)}
        files = self.files_of(model, days)
        if not files:
            return {}
        with self._table(model).cursor() as cursor:
            values = [[file.path for file in files], list(REFUSED), stretch.start, stretch.end]
            return dict(cursor.execute(_COMPLAINTS, values).fetchall())

    def files_of(self, model: str, days: Set[str]) -> list[TableFile]:
        """The files of some days, as of the last `fold_some`."""
        return [file for file in self._files.get(model, []) if file.day in days]

    def rows(self, model: str, files: Sequence[TableFile], lens: Lens, version: str) -> Iterator[Columns]:
        """The rows of one version in some files, part by part, with their ids."""
        columns = ("request_id", "row", *wanted_columns([lens.signature]))
        yield from batches(self._table(model), files, columns, [version])

    def _fold_some(self, model: str, lenses: Lenses, files: int, rows: int) -> int:
        version = self._table(model).version()
        steps = self._steps(model)
        changed = 0
        while steps and changed < files and rows > 0:
            step = steps.pop(0)
            folded = [(file.path, file.day, self._fold(model, file, lenses)) for file in step.new]
            with self._cache.transaction():
                self._cache.replace(model, step.gone, folded)
            changed += len(step.gone) + len(step.new)
            rows -= sum(file.rows for file in step.new)
        self._backlog[model] = {file.day for step in steps for file in step.new}
        if not steps:
            self._done[model] = version
        return changed

    def _steps(self, model: str) -> list[Step]:
        """What is to be done, oldest day first: a day that lost a file in one step, else file by file."""
        table = self._table(model)
        self._files[model] = table.files()
        known = self._cache.files(model)
        there = {file.path for file in self._files[model]}
        gone: dict[str, list[str]] = {}
        for path in known.keys() - there:
            gone.setdefault(known[path], []).append(path)
        self._let_go(model, gone)
        new: dict[str, list[TableFile]] = {}
        for file in self._files[model]:
            if file.path not in known:
                new.setdefault(file.day, []).append(file)
        steps = []
        for day in sorted(gone.keys() | new.keys()):
            if day in gone:
                steps.append(Step(tuple(gone[day]), tuple(new.get(day, ()))))
            else:
                steps += [Step((), (file,)) for file in new[day]]
        return steps

    def _let_go(self, model: str, gone: dict[str, list[str]]) -> None:
        """Days that were deleted on purpose keep what was measured: their files are no longer looked for."""
        if not gone:
            return
        path = self._table(model).path
        there = {file.day for file in self._files[model]}
        for one in dropped(path.parent.parent, model):
            if one.day in gone and one.day not in there:
                self._cache.let_go(model, gone.pop(one.day))

    def _fold(self, model: str, file: TableFile, lenses: Lenses) -> dict[Cell, Fold]:
        columns = wanted_columns(lens.signature for lens in lenses.values())
        parts = batches(self._table(model), [file], columns, list(lenses))
        return merge_folds(fold_rows(part, file.day, lenses, self._blocks) for part in parts)

    def _retried(self, model: str, work: Callable[[], Done]) -> Done:
        """A file that vanished may have been replaced by another meanwhile; one that the table still has is lost."""
        for _ in range(TRIES - 1):
            try:
                return work()
            except StoreError:
                files = self._table(model).files()
                if files == self._files.get(model):
                    raise
                self._files[model] = files
        return work()

    def _table(self, model: str) -> Table:
        if model not in self._tables:
            self._tables[model] = self._open(model)
        return self._tables[model]
