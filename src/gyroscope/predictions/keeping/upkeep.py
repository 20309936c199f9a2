"""What the recorder does between two drains: merge small files, drop what is too old or too much, sweep up.

One bounded step a call, in the recorder's own thread: nobody else writes these tables, and recording waits a second at
most. What a step was about to do when it was killed is found and done again by the next.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
from deltalake import DeltaTable

from gyroscope.clock import DAY_US, SECOND_NS, EventTime, MachineTime, day_of, machine_now, wall_now
from gyroscope.errors import GyroscopeError, StoreError
from gyroscope.predictions.keeping.compaction import next_merge
from gyroscope.predictions.keeping.retention import Drop, Keeping, drops, excess
from gyroscope.predictions.keeping.sweep import Sweep, trim_log
from gyroscope.predictions.tables.dropped import Dropped, dropped, note_dropped
from gyroscope.predictions.tables.rewrite import Change, LiveFile, Writer, commit, live_files, open_table
from gyroscope.predictions.tables.table import table_path

LOG = logging.getLogger(__name__)

METADATA = "gyroscope."
OFFSETS = "gyroscope.offsets"
RECENT = 20
# A look reads the table's log, which takes milliseconds.
LOOK_EVERY_S = 10.0
SHARE = 4
GIB = 1_024**3


class Upkeep:
    """All tables of one home."""

    def __init__(
        self, home: Path, keeping: Keeping, zone_of: Callable[[str], str], *, look_every_s: float = LOOK_EVERY_S
    ) -> None:
        self._home = home
        self._keeping = keeping
        self._zone_of = zone_of
        self._look_every_ns = int(look_every_s * SECOND_NS)
        self._sizes: dict[str, dict[str, int]] = {}
        self._writers: dict[str, Writer] = {}
        self._sweeps: dict[str, Sweep] = {}
        self._due: dict[str, MachineTime] = {}
        self.failures: dict[str, str] = {}

    def step(self, model: str, now: MachineTime, wall: EventTime) -> bool:
        """One look at one table and at most one change; True when the table has a new version.

        Raises `StoreError`; nothing is half done then.
        """
        path = table_path(self._home, model)
        delta = open_table(path)
        if delta is None:
            return False
        files = live_files(delta)
        self._sizes[model] = _by_day(files)
        self._sweep(model).run([file.path for file in files], now)
        trim_log(path)
        drop = self._next_drop(model, wall)
        if drop is not None:
            self._drop(delta, drop, files, wall)
            return True
        merge = next_merge(files, wall // 1_000)
        if merge:
            made = self._writer(model).merge(merge)
            _check_rows(path, merge, made)
            commit(path, Change(merge, (made,), is_data=False), newest_metadata(delta))
            return True
        return False

    def run_once(self) -> str:
        """A step for the first table that is due; its model when the table has a new version, else "".

        What goes wrong with one table is kept in `failures`, logged and tried again; recording goes on.
        """
        for model in self._models():
            began = machine_now()
            if began < self._due.get(model, began):
                continue
            has_changed = self._try(model, began)
            # Another step may follow at once, but upkeep never takes more than a fifth of the recorder's time.
            pause = SHARE * (machine_now() - began) if has_changed else self._look_every_ns
            self._due[model] = MachineTime(machine_now() + pause)
            return model if has_changed else ""
        return ""

    def _try(self, model: str, began: MachineTime) -> bool:
        try:
            has_changed = self.step(model, began, wall_now())
        except (GyroscopeError, OSError) as error:
            if self.failures.get(model) != str(error):
                LOG.error("upkeep of %s: %s", model, error)
            self.failures[model] = str(error)
            return False
        except Exception as error:
            LOG.exception("upkeep of %s met a fault of its own", model)
            self.failures[model] = str(error) or type(error).__name__
            return False
        self.failures.pop(model, None)
        return has_changed

    def _models(self) -> list[str]:
        """The table that waited longest first."""
        tables = self._home / "tables"
        found = [item.name for item in os.scandir(tables) if item.is_dir()] if tables.is_dir() else []
        return sorted(found, key=lambda model: (self._due.get(model, 0), model))

    def table_bytes(self) -> dict[str, int]:
        """Model -> bytes of the newest version, as of its last look."""
        return {model: sum(sizes.values()) for model, sizes in self._sizes.items()}

    def over_budget(self, wall: EventTime) -> dict[str, str]:
        """What to say about every model that is over its budget, or lost days to it within 24 hours."""
        said = {
            model: f"the log of {model} is {over / GIB:,.2f} GiB over its budget, and its newest day is never deleted"
            for model, over in excess(self._sizes, self._keeping).items()
        }
        for model in self._sizes:
            try:
                days = [one.day for one in dropped(self._home, model) if _is_fresh(one, wall)]
            except StoreError as error:
                said[model] = error.what
                continue
            if days:
                said[model] = f"{len(days)} days of {model} were deleted for the budget, the last {max(days)}"
        return said

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def _next_drop(self, model: str, wall: EventTime) -> Drop | None:
        today = day_of(wall, self._zone_of(model))
        return next((drop for drop in drops(self._sizes, self._keeping, today) if drop.model == model), None)

    def _drop(self, delta: DeltaTable, drop: Drop, files: list[LiveFile], wall: EventTime) -> None:
        """Noted first: readers must know that the day is gone on purpose, not that it never was."""
        gone = tuple(file for file in files if file.day == drop.day)
        rows, size = sum(file.rows for file in gone), sum(file.bytes for file in gone)
        note_dropped(self._home, drop.model, Dropped(drop.day, rows, size, drop.why, wall))
        commit(table_path(self._home, drop.model), Change(gone), newest_metadata(delta))
        self._sizes[drop.model].pop(drop.day, None)
        LOG.warning("%s of %s was deleted for its %s: %d rows, %d bytes", drop.day, drop.model, drop.why, rows, size)

    def _writer(self, model: str) -> Writer:
        if model not in self._writers:
            self._writers[model] = Writer(table_path(self._home, model))
        return self._writers[model]

    def _sweep(self, model: str) -> Sweep:
        if model not in self._sweeps:
            self._sweeps[model] = Sweep(table_path(self._home, model))
        return self._sweeps[model]


def newest_metadata(delta: DeltaTable) -> dict[str, str]:
    """What the recorder wrote into its newest commit: the offsets, which the next commit has to carry on."""
    for limit in (RECENT, None):
        for entry in delta.history(limit):
            if OFFSETS in entry:
                return {name: str(value) for name, value in entry.items() if name.startswith(METADATA)}
    return {}


def offsets_of(metadata: dict[str, str]) -> dict[str, int]:
    """Segment -> how far it is in the table, from what `newest_metadata` found."""
    return msgspec.json.decode(metadata[OFFSETS], type=dict[str, int]) if OFFSETS in metadata else {}


def _by_day(files: list[LiveFile]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for file in files:
        sizes[file.day] = sizes.get(file.day, 0) + file.bytes
    return sizes


def _check_rows(path: Path, files: tuple[LiveFile, ...], made: LiveFile) -> None:
    wanted = sum(file.rows for file in files)
    if made.rows != wanted:
        (path / made.path).unlink()
        raise StoreError(
            f"files with {wanted} rows became one with {made.rows}",
            where=str(path / files[0].path),
            fix="run gyro predictions verify: a file of this day is damaged",
        )


def _is_fresh(one: Dropped, wall: EventTime) -> bool:
    return one.why == "budget" and wall - one.at < DAY_US
