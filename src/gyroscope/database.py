"""How a store opens its SQLite file: private from its first byte, with its tables, its errors said in words.

Every store that keeps a SQLite file holds one `Database` and brings its own SQL. This module never knows what a table
means. Standard library only.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gyroscope.clock import SECOND_NS, machine_now, sleep
from gyroscope.errors import StoreError

BUSY_TIMEOUT_S = 10.0
"""A writer holds the lock for milliseconds; somebody's backup or an open shell may hold it for seconds."""

_PAUSE_S = 0.01
_MAKING_FILE = threading.Lock()


@dataclass(frozen=True)
class Database:
    """One file, its tables, and what its errors say. `schema` may be run any number of times."""

    path: Path
    what: str
    fix: str
    schema: str = ""
    synchronous: Literal["FULL", "NORMAL"] = "NORMAL"
    """FULL: what was acknowledged survives a power cut. NORMAL: the newest may be lost, the file stays whole."""
    journal: Literal["WAL", "DELETE"] = "WAL"
    """DELETE: each commit changes the file itself, for those who watch it; readers then wait for writers."""

    def connect(self) -> sqlite3.Connection:
        """A connection without implicit transactions, for one thread at a time, whichever. Raises `StoreError`."""
        with self.errors_named():
            if not self.path.exists():  # even asking for a folder that is there waits for a disk that is frozen
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                _make_private(self.path)
            connection = sqlite3.connect(
                self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            return connection

    @contextmanager
    def opened(self) -> Iterator[sqlite3.Connection]:
        """A connection for one call, closed after it; errors as `errors_named`."""
        with self.errors_named(), closing(self.connect()) as connection:
            yield connection

    @contextmanager
    def errors_named(self) -> Iterator[None]:
        """Errors of SQLite and of files become a `StoreError` that says what, where and how to mend it."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"{self.what}: {error}", where=str(self.path), fix=self.fix) from error

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """SQLite refuses a change to WAL beside others at once, without its busy timeout: that is tried again here."""
        give_up = machine_now() + BUSY_TIMEOUT_S * SECOND_NS
        while True:
            try:
                connection.execute(f"PRAGMA journal_mode = {self.journal}")
                connection.execute(f"PRAGMA synchronous = {self.synchronous}")
                connection.executescript(self.schema)
                return
            except sqlite3.OperationalError as error:
                is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY  # the low byte; above it is the kind
                if not is_busy or machine_now() > give_up:
                    raise
            sleep(_PAUSE_S)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """One writer at a time, all or nothing, whatever is raised inside."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:  # on a full disk SQLite has already rolled back by itself
            connection.execute("ROLLBACK")


def _make_private(path: Path) -> None:
    """SQLite would give the file the mode of the umask; journals copy the mode of the file.

    A process that closes any descriptor of a file loses all its locks on it, SQLite's too. So an existing file is never
    opened here, and no thread goes on to SQLite while another still has the new file open.
    """
    with _MAKING_FILE, suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
