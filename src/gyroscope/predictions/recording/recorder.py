"""The recorder: the one process per home that drains all segments into the tables.

Order of every cycle: read segments, commit rows with their offsets, take them into the index of ids, amend earlier
attempts, delete what is drained. A kill between any two steps neither loses nor doubles a row. It never serves.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from sqlite3 import DatabaseError

from gyroscope.clock import SECOND_NS, iso, machine_now, wall_now
from gyroscope.errors import GyroscopeError, StoreError
from gyroscope.predictions.ids.index import ids_path
from gyroscope.predictions.keeping.erasure import Erased, Subject, erase
from gyroscope.predictions.keeping.errands import Errand, answer, errands, refuse
from gyroscope.predictions.keeping.upkeep import Upkeep
from gyroscope.predictions.recording.drain import Drain, Places
from gyroscope.predictions.recording.heartbeat import REPORT_FILE, RecorderReport, is_waited_for, write_report
from gyroscope.predictions.segments.file import segment_folder
from gyroscope.predictions.segments.waiting import remove_leftovers
from gyroscope.predictions.tables.table import table_path
from gyroscope.records import Version

LOG = logging.getLogger(__name__)

LOCK_NAME = "recorder.lock"
# How long an idle recorder waits: a tenth of the pace of commits, so a row is in the table a second after its reply.
PAUSE_S = 0.1
# Each try that fails in a row waits twice as long as the one before, up to this: what is broken may stay so for hours,
# and reading up to 32 MiB of records again every second would take a third of a core from serving.
MOST_BETWEEN_TRIES_NS = 8 * SECOND_NS
# How long upkeep waits at most while rows keep coming.
KEEP_UP_EVERY_NS = 10 * SECOND_NS


class Recorder:
    """All models of one home. `run_once` is a cycle for whichever table is due; `run_forever` repeats it."""

    def __init__(
        self,
        home: Path,
        runtime: Path,
        version_of: Callable[[str, str], Version],
        zone_of: Callable[[str], str],
        *,
        commit_every_s: float = 1.0,
        upkeep: Upkeep | None = None,
    ) -> None:
        """`version_of(model, version)` and `zone_of(model)` say what a segment's columns are and where its days begin.

        Raises `StoreError` when another recorder holds this home.
        """
        self._home = home
        # What is durable at once lies in memory, what has to survive a power cut on a disk; both are drained.
        self._places = (runtime, home)
        self._version_of = version_of
        self._zone_of = zone_of
        self._commit_every_ns = int(commit_every_s * SECOND_NS)
        self._upkeep = upkeep
        self._drains: dict[str, Drain] = {}
        self._due_ns: dict[str, int] = {}
        self._drained_ns: dict[str, int] = {}
        self._damage: dict[str, int] = {}
        self._repeated: dict[str, int] = {}
        self._rows = 0
        self._reported_ns = self._kept_ns = 0
        # Models of which the last batch was not all that lies there.
        self._is_more: set[str] = set()
        self._told: set[Path] = set()
        self._failed_in_a_row: Counter[str] = Counter()
        self.failures: dict[str, str] = {}
        self._lock = _lock(home / LOCK_NAME)

    def run_once(self) -> int:
        """One cycle; the number of rows written. Tables that are not due yet are left alone.

        What goes wrong with one model is kept in `failures`, logged, and tried again; the others go on.
        """
        rows = 0
        for model in self._models():
            if machine_now() < self._due_ns.get(model, 0):
                continue
            try:
                rows += self._run_model(model)
                self.failures.pop(model, None)
                self._failed_in_a_row.pop(model, None)
            except (GyroscopeError, DatabaseError, OSError) as error:
                self._failed(model, error)
            except Exception as error:
                LOG.exception("recording %s met a fault of its own", model)
                self._failed(model, error)
        self._rows += rows
        return rows

    def run_forever(self, stop: threading.Event) -> None:
        """Cycle until `stop` is set."""
        while not stop.is_set():
            self._hurry_if_waited_for()
            rows = self.run_once()
            self._report()
            self.run_errands()
            if rows == 0 or machine_now() - self._kept_ns > KEEP_UP_EVERY_NS:
                self.keep_up()
            if rows == 0:
                stop.wait(PAUSE_S)

    def keep_up(self) -> None:
        """One bounded step of upkeep, in this thread: nobody else writes the tables meanwhile."""
        self._kept_ns = machine_now()
        changed = self._upkeep.run_once() if self._upkeep is not None else ""
        if changed in self._drains:
            try:
                self._drains[changed].reread()
            except (GyroscopeError, DatabaseError, OSError) as error:
                self._failed(changed, error)

    def erase(self, model: str, subject: Subject) -> Erased:
        """Take a subject out of a model's log. Raises `StoreError`; then nothing is lost, and it can be asked again."""
        self._due_ns.pop(model, None)
        self.run_once()
        while model in self._is_more:
            self.run_once()
        if model in self.failures:
            raise StoreError(f"what waits to be recorded must be first: {self.failures[model]}", where=model)
        if model in self._drains:
            self._drains.pop(model).close()
        return erase(self._home, self._places[0], model, subject)

    def run_errands(self) -> None:
        """Do what the command line asked for while this process holds the tables."""
        for errand in errands(self._home, self._told):
            try:
                self._run_errand(errand)
            except Exception as error:  # noqa: BLE001  logged without its words; the next errand is answered
                LOG.error("an erasure cannot be answered: %s", _without_words(error))

    def _run_errand(self, errand: Errand) -> None:
        try:
            answer(self._home, errand, self.erase(errand.model, errand.subject))
        except Exception as error:  # noqa: BLE001  logged without its words, which who asked is told
            LOG.error("an erasure failed: %s", _without_words(error))
            refuse(self._home, errand, error)

    def drain(self) -> int:
        """Write all that is left, at once: for a recorder that was told to stop. The number of rows written."""
        rows = 0
        while True:
            self._due_ns.clear()
            written = self.run_once()
            if written == 0 and not self._is_more:
                return rows
            rows += written

    def close(self) -> None:
        """Give the home back."""
        for model in list(self._drains):
            self._drains.pop(model).close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def report(self) -> RecorderReport:
        """How recording goes."""
        now = machine_now()
        upkeep = self._upkeep
        kept = {model: f"upkeep: {text}" for model, text in upkeep.failures.items()} if upkeep is not None else {}
        return RecorderReport(
            at=iso(wall_now()),
            failures=kept | self.failures,
            rows=self._rows,
            lag_s={model: (now - self._drained_ns.setdefault(model, now)) / SECOND_NS for model in self._models()},
            damage=dict(self._damage),
            repeated=dict(self._repeated),
            table_bytes=upkeep.table_bytes() if upkeep is not None else {},
            over_budget=upkeep.over_budget(wall_now()) if upkeep is not None else {},
        )

    def _hurry_if_waited_for(self) -> None:
        """No commit waits for its turn then, nor the report; what failed keeps its pauses."""
        if is_waited_for(self._home / "run"):
            for model in self._due_ns.keys() - self.failures.keys():
                del self._due_ns[model]
            self._reported_ns = 0

    def _report(self) -> None:
        """Once a second; where the disk takes nothing, the age of the file says so."""
        if machine_now() - self._reported_ns < SECOND_NS:
            return
        self._reported_ns = machine_now()
        path = self._home / "run" / REPORT_FILE
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_report(path, self.report())
        except OSError as error:
            LOG.error("%s: %s", path, error)

    def _run_model(self, model: str) -> int:
        if model not in self._drains:
            self._drains[model] = self._begin(model)
        drain = self._drains[model]
        began = machine_now()
        cycle = drain.run_once()
        self._damage[model] = drain.damage()
        self._repeated[model] = drain.counts().get("repeated", 0)
        if cycle.is_more:
            self._is_more.add(model)
        else:
            self._is_more.discard(model)
            self._drained_ns[model] = began
        # Counted from after the commit: a slow disk gets fewer and larger commits, never a queue of small ones.
        pause_ns = 0 if cycle.is_more else cycle.commits * self._commit_every_ns
        self._due_ns[model] = machine_now() + pause_ns
        return cycle.rows

    def _begin(self, model: str) -> Drain:
        folders = [segment_folder(place, model) for place in self._places]
        for folder in folders:
            remove_leftovers(folder)
        places = Places(
            folders, table_path(self._home, model), ids_path(self._home, model), self._home / "damage" / model
        )
        return Drain(places, lambda version: self._version_of(model, version), self._zone_of(model))

    def _models(self) -> list[str]:
        """Also those that have a table and no segment: after a restore their index is still to be made."""
        every = [*(place / "segments" for place in self._places), self._home / "tables"]
        known = {path.name for folder in every if folder.is_dir() for path in folder.iterdir() if path.is_dir()}
        return sorted(known | set(self._drains))

    def _failed(self, model: str, error: Exception) -> None:
        """Nobody knows how far a failed step came: forget everything and read it back."""
        if self.failures.get(model) != str(error):
            LOG.error("recording %s: %s", model, error)
        self.failures[model] = str(error) or type(error).__name__
        self._is_more.discard(model)
        self._failed_in_a_row[model] += 1
        pause_ns = self._commit_every_ns << min(self._failed_in_a_row[model] - 1, 10)
        self._due_ns[model] = machine_now() + min(pause_ns, max(self._commit_every_ns, MOST_BETWEEN_TRIES_NS))
        if model in self._drains:
            self._drains.pop(model).close()


def is_recording(home: Path) -> bool:
    """Whether a recorder holds this home now."""
    try:
        os.close(_lock(home / LOCK_NAME))
    except StoreError:
        return True
    return False


def _without_words(error: Exception) -> str:
    """Where it went wrong; what an error says may quote the subject who is being erased."""
    return "\n".join([type(error).__name__, *traceback.format_tb(error.__traceback__)])


def _lock(path: Path) -> int:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
        os.close(fd)
        raise StoreError(
            f"another recorder (process {holder or 'unknown'}) writes the tables of this home",
            where=str(path),
            fix="stop it, or use another home",
        ) from error
    os.ftruncate(fd, 0)
    os.pwrite(fd, str(os.getpid()).encode(), 0)
    return fd
