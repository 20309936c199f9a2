"""Sources of labels that are read on a schedule: files that come to a folder, and queries to a database.

Control calls `run_once` in its loop, `gyro labels pull` asks for one at once. How far a source was read is written down
only after its labels are on disk, so a crash reads again what is then a duplicate.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from gyroscope.clock import SECOND_NS, SECOND_US, EventTime, MachineTime
from gyroscope.database import Database, transaction
from gyroscope.errors import GyroscopeError, LabelError, did_you_mean
from gyroscope.predictions.labels import file as label_file
from gyroscope.predictions.labels.files import READERS, Portion, read_portions
from gyroscope.predictions.labels.labels import Labels
from gyroscope.predictions.labels.reading import read_rows
from gyroscope.predictions.labels.sql import Cursor, SqlRows
from gyroscope.settings import LabelSource

# A file that changed just now may be in the middle of a line.
REST_US = 2 * SECOND_US
ROWS_AT_ONCE = 10_000
LOG = logging.getLogger(__name__)


class Pulled(msgspec.Struct):
    """What one look at a source brought: labels by state, refused ones as (place, reason), files that were read."""

    counts: Counter[str] = msgspec.field(default_factory=Counter)
    refused: list[tuple[str, str]] = []
    files: list[str] = []

    @property
    def received(self) -> int:
        return self.counts.total()


class LabelSources:
    """All sources of one settings file; `folder` is where relative paths start."""

    def __init__(self, sources: Mapping[str, LabelSource], labels: Labels, home: Path, folder: Path) -> None:
        self._sources = sources
        self._labels = labels
        self._folder = folder
        self._books = Database(
            home / "labels.db", "how far sources were read is not known", "run gyro doctor", label_file.SCHEMA,
            synchronous="FULL",
        )  # fmt: skip
        self._looked_at: dict[str, MachineTime] = {}
        self.failures: dict[str, str] = {}

    def run_once(self, now: EventTime, moment: MachineTime) -> dict[str, Pulled]:
        """Read the sources that are due. What goes wrong with one is logged once, and tried again when it is due."""
        done = {}
        for name, source in self._sources.items():
            looked_at = self._looked_at.get(name)
            if looked_at is not None and moment - looked_at < source.every_s * SECOND_NS:
                continue
            self._looked_at[name] = moment
            try:
                done[name] = self._pull(name, source, now, EventTime(now - REST_US))
                self.failures.pop(name, None)
            except GyroscopeError as error:
                self._failed(name, str(error))
            except Exception as error:  # noqa: BLE001  # a driver of a database may raise anything
                self._failed(name, type(error).__name__)
        return done

    def pull(self, name: str, now: EventTime) -> Pulled:
        """Read one source at once, whatever its schedule. Raises `LabelError` for a name that there is not."""
        if name not in self._sources:
            raise LabelError(
                f"no source of labels is called {name!r}",
                where="label_sources",
                fix=did_you_mean(name, self._sources) if self._sources else "name one in gyroscope.yaml",
            )
        return self._pull(name, self._sources[name], now, now)

    def _failed(self, name: str, said: str) -> None:
        if self.failures.get(name) != said:
            LOG.error("labels from %s: %s", name, said)
        self.failures[name] = said

    def _pull(self, name: str, source: LabelSource, now: EventTime, rested: EventTime) -> Pulled:
        done = Pulled()
        if source.url:
            rows = SqlRows(source.url, source.query, source.columns, source.cursor, self._last(name, source))
            self._take(source, rows.portions(), "row", done, now)
            if source.cursor and rows.last is not None:
                self._write("INSERT OR REPLACE INTO source_cursors VALUES(?,?)", name, json.dumps(rows.last))
            return done
        faults = []
        for path in self._files(source):
            try:
                self._read_file(name, source, path, done, (now, rested))
            except LabelError as error:  # the other files are read all the same
                faults.append(error)
        if faults:
            raise faults[0]
        return done

    def _files(self, source: LabelSource) -> list[Path]:
        pattern = self._folder / Path(source.path).expanduser()
        found = Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor)))
        return sorted(path for path in found if path.is_file() and path.suffix.lower() in READERS)

    def _read_file(
        self, name: str, source: LabelSource, path: Path, done: Pulled, when: tuple[EventTime, EventTime]
    ) -> None:
        now, rested = when
        try:
            about = path.stat()
        except FileNotFoundError:
            return
        stamp = f"{about.st_size} {about.st_mtime_ns}"
        if about.st_mtime_ns // 1_000 > rested or self._stamp(name, path) == stamp:
            return
        portions = read_portions(path, source.columns or None, most=ROWS_AT_ONCE)
        self._take(source, portions, str(path), done, now)
        done.files.append(str(path))
        self._write("INSERT OR REPLACE INTO source_files VALUES(?,?,?)", name, str(path), stamp)

    def _take(self, source: LabelSource, portions: Iterable[Portion], where: str, done: Pulled, now: EventTime) -> None:
        for portion in portions:
            read = read_rows(portion.labels)
            places = read.labels.numbers if read.labels.numbers is not None else range(len(portion.lines))
            labels = msgspec.structs.replace(read.labels, numbers=[portion.lines[at] for at in places])
            unread = [(portion.lines[at], text, reason) for at, text, reason in read.unread]
            report = self._labels.add_columns(source.model, labels, now)
            self._labels.refuse(source.model, unread, now)
            done.counts.update(report.counts)
            done.counts[label_file.REFUSED] += len(unread)
            faults = [*report.refused, *((line, reason) for line, _, reason in unread)]
            done.refused += [(f"{where}:{line}", reason) for line, reason in sorted(faults)]

    def _last(self, name: str, source: LabelSource) -> Cursor | None:
        with self._books.opened() as db:
            row = db.execute("SELECT cursor FROM source_cursors WHERE source = ?", (name,)).fetchone()
        last: Cursor | None = json.loads(row[0]) if row else None if source.start == "" else source.start
        return last

    def _stamp(self, name: str, path: Path) -> str | None:
        query = "SELECT stamp FROM source_files WHERE source = ? AND path = ?"
        with self._books.opened() as db:
            row = db.execute(query, (name, str(path))).fetchone()
        return None if row is None else str(row[0])

    def _write(self, statement: str, *values: str) -> None:
        with self._books.opened() as db, transaction(db):
            db.execute(statement, values)
