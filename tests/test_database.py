"""How stores open SQLite: real processes at once, private files, locks that stay, errors in words."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gyroscope import database
from gyroscope.database import Database, transaction
from gyroscope.errors import StoreError

SCHEMA = "CREATE TABLE IF NOT EXISTS seen (who TEXT); CREATE INDEX IF NOT EXISTS seen_by ON seen (who);"
PROCESSES, FILES = 4, 40

OPEN_AT_THE_GATE = f"""
import sys
from pathlib import Path
from gyroscope.database import Database
folder, who = Path(sys.argv[1]), sys.argv[2]
for number in range({FILES}):
    file = Database(folder / f"{{number}}.db", "the test's file cannot be used", "none", {SCHEMA!r})
    gate = folder / f"{{number}}.gate"
    print("ready", flush=True)
    while not gate.exists():
        pass  # awake, so that all run at the file in the same moment
    opened = file.connect()
    opened.execute("INSERT INTO seen VALUES (?)", (who,))
"""

IS_LOCKED = """
import sqlite3, sys
other = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)
try:
    other.execute("BEGIN IMMEDIATE")
except sqlite3.OperationalError as error:
    print(error)
"""


def file_in(folder: Path, **more: str) -> Database:
    return Database(folder / "home" / "some.db", "the test's file cannot be used", "mend it", SCHEMA, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("close_each", [False, True])
def test_many_processes_open_one_new_file_at_once(tmp_path, close_each):
    """Once with the last connections closing while others open."""
    code = OPEN_AT_THE_GATE + ("    opened.close()\n" if close_each else "")
    others = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), str(number)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]  # fmt: skip
    for number in range(FILES):
        for other in others:
            other.stdout.readline()  # type: ignore[union-attr]  # ready, or has failed and ended
        (tmp_path / f"{number}.gate").touch()
    ended = [other.communicate(timeout=120) for other in others]
    assert [said for _, said in ended] == [""] * PROCESSES
    for number in range(FILES):
        with Database(tmp_path / f"{number}.db", "", "").opened() as opened:
            assert opened.execute("SELECT count(DISTINCT who) FROM seen").fetchone() == (PROCESSES,)
            assert opened.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_every_file_is_private_from_its_first_byte(tmp_path):
    connection = file_in(tmp_path).connect()
    files = sorted((tmp_path / "home").iterdir())
    assert [path.name for path in files] == ["some.db", "some.db-shm", "some.db-wal"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700
    connection.close()


def test_opening_again_keeps_the_locks_of_this_process(tmp_path):
    """Any descriptor of the file that is closed would take them away."""
    file = file_in(tmp_path, journal="DELETE")
    holder = file.connect()
    with transaction(holder):
        file.connect().close()
        asked = [sys.executable, "-c", IS_LOCKED, str(file.path)]
        assert "locked" in subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    holder.close()


def test_a_file_that_stays_locked_is_given_up_in_words(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.05)
    file = file_in(tmp_path)
    file.path.parent.mkdir()
    holder = sqlite3.connect(file.path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="the test's file cannot be used: database is locked") as refused:
        file.connect()
    holder.close()
    assert (refused.value.where, refused.value.fix) == (str(file.path), "mend it")
    file.connect().close()


def test_a_damaged_file_and_a_folder_in_its_place_are_said(tmp_path):
    file = file_in(tmp_path)
    file.path.parent.mkdir()
    file.path.write_bytes(b"not a database, by a long way" * 100)
    with pytest.raises(StoreError, match="not a database"), file.opened():
        pass
    file.path.unlink()
    file.path.mkdir()
    with pytest.raises(StoreError, match="unable to open"):
        file.connect()


@pytest.mark.parametrize(("journal", "synchronous", "level"), [("WAL", "NORMAL", 1), ("DELETE", "FULL", 2)])
def test_it_opens_as_it_was_asked_to(tmp_path, journal, synchronous, level):
    with file_in(tmp_path, journal=journal, synchronous=synchronous).opened() as opened:
        assert opened.execute("PRAGMA journal_mode").fetchone() == (journal.lower(),)
        assert opened.execute("PRAGMA synchronous").fetchone() == (level,)


def test_a_transaction_is_all_or_nothing(tmp_path):
    with file_in(tmp_path).opened() as opened:
        with pytest.raises(KeyboardInterrupt), transaction(opened):
            opened.execute("INSERT INTO seen VALUES ('half')")
            raise KeyboardInterrupt
        with transaction(opened):
            opened.execute("INSERT INTO seen VALUES ('whole')")
    with file_in(tmp_path).opened() as opened:
        assert opened.execute("SELECT who FROM seen").fetchall() == [("whole",)]


def test_a_full_disk_ends_the_transaction(tmp_path):
    file = file_in(tmp_path)
    connection = file.connect()
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="full"), file.errors_named(), transaction(connection):
        connection.executemany("INSERT INTO seen VALUES (?)", [("x" * 5_000,)] * 20)
    assert not connection.in_transaction
    with transaction(connection):
        connection.execute("INSERT INTO seen VALUES ('small')")
    connection.close()
