"""Labels read from files and databases on a schedule: once each, again when they change, nothing lost in between."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from gyroscope.clock import SECOND_NS, EventTime, MachineTime, machine_now, wall_now
from gyroscope.errors import GyroscopeError, LabelError
from gyroscope.predictions.labels.labels import Labels
from gyroscope.predictions.labels.sources import LabelSources
from gyroscope.records import Signature
from gyroscope.settings import LabelSource

NONE = {"joined": 0, "pending": 0, "quarantined": 0, "duplicate": 0, "superseded": 0, "refused": 0}


@pytest.fixture
def labels(tmp_path: Path) -> Labels:
    return Labels(tmp_path / "home", lambda _: Signature("binary", ()))


def sources(labels: Labels, tmp_path: Path, **given: Any) -> LabelSources:
    return LabelSources({"s": LabelSource(model="m", **given)}, labels, tmp_path / "home", tmp_path)


def test_a_file_is_read_once_and_again_when_it_has_changed(labels: Labels, tmp_path: Path) -> None:
    file = tmp_path / "in" / "a.csv"
    file.parent.mkdir()
    file.write_text("request_id,value\na,1\nb,0\n")
    made = sources(labels, tmp_path, path="in/*.csv")
    assert made.pull("s", wall_now()).counts["pending"] == 2
    assert made.pull("s", wall_now()).received == 0
    file.write_text("request_id,value\na,1\nb,0\nc,1\n")
    again = made.pull("s", wall_now())
    assert (again.counts["duplicate"], again.counts["pending"], again.files) == (2, 1, [str(file)])
    assert sources(labels, tmp_path, path="in/*.csv").pull("s", wall_now()).received == 0, "another process knows too"


def test_all_three_kinds_of_files_with_columns_of_other_names(labels: Labels, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("order,outcome,when,more\na,1,2026-01-01T00:00:00Z,x\n")
    (tmp_path / "b.jsonl").write_text('{"order": "b", "outcome": true, "when": 5, "x": 1}\n\n7\n{"order"\n')
    query = "SELECT 'c' AS order, 1.0 AS outcome, TIMESTAMP '2026-01-01' AS when, 3.0 AS place"
    duckdb.execute(f"COPY ({query}) TO '{tmp_path}/c.parquet' (FORMAT parquet)")
    (tmp_path / "d.txt").write_text("not labels")
    columns = {"request_id": "order", "value": "outcome", "labeled_at": "when"}
    done = sources(labels, tmp_path, path="*", columns=columns).pull("s", wall_now())
    assert (done.counts["pending"], done.counts["refused"]) == (3, 2)
    assert [place.rpartition("/")[2] for place, _ in done.refused] == ["b.jsonl:3", "b.jsonl:4"]
    assert [row[0] for row in labels.refused("m")] == [4, 3]


def test_one_bad_line_costs_that_line_and_is_called_by_its_number(labels: Labels, tmp_path: Path) -> None:
    lines = [
        b"request_id,value,row",
        b"a,1,0",
        b"b,1,0,9",
        b"c,maybe,0",
        b"d,1,first",
        b'"e\nf",1,0',
        b"\xff\xfe,1,0",
        b"",
    ]
    (tmp_path / "a.csv").write_bytes(b"\n".join([*lines, b"g,1," + b"9" * 200_000, b"h,1,", b""]))
    done = sources(labels, tmp_path, path="a.csv").pull("s", wall_now())
    assert done.counts["pending"] == 3
    assert [place.rpartition(":")[2] for place, _ in done.refused] == ["3", "4", "5", "8", "10"]
    reasons = [reason for _, reason in done.refused]
    for reason, word in zip(reasons, ["more cells", "maybe", "int", "UTF-8", "no CSV"], strict=True):
        assert word in reason


@pytest.mark.parametrize(
    ("name", "text", "columns", "word"),
    [
        ("a.csv", "id,value\na,1\n", {}, "no column of labels is called 'id'"),
        ("a.csv", "request_id\na\n", {}, "no column 'value'"),
        ("a.csv", "request_id,value\n", {"request_id": "id", "value": "value"}, "no column 'id'"),
        ("a.csv", "", {}, "no column"),
        ("a.parquet", "no parquet", {}, "cannot be read"),
    ],
)
def test_a_file_of_another_form_is_named_and_the_others_are_read(
    labels: Labels, tmp_path: Path, name: str, text: str, columns: dict[str, str], word: str
) -> None:
    (tmp_path / name).write_text(text)
    fine = "id,value\nz,1\n" if columns == {"request_id": "id", "value": "value"} else "request_id,value\nz,1\n"
    (tmp_path / "z.csv").write_text(fine)
    made = sources(labels, tmp_path, path="*", columns=columns)
    with pytest.raises(LabelError, match=word) as raised:
        made.pull("s", wall_now())
    assert name in raised.value.where
    assert labels.counts("m") == NONE | {"pending": 1}


def test_it_is_looked_at_when_it_is_due_and_a_fresh_file_rests_first(labels: Labels, tmp_path: Path) -> None:
    made = sources(labels, tmp_path, path="*.csv", every_s=10)
    (tmp_path / "a.csv").write_text("request_id,value\na,1\n")
    now, moment = wall_now(), machine_now()
    assert made.run_once(now, moment)["s"].received == 0, "somebody may be writing it"
    later = EventTime(now + 5_000_000)
    assert made.run_once(later, MachineTime(moment + 9 * SECOND_NS)) == {}
    assert made.run_once(later, MachineTime(moment + 10 * SECOND_NS))["s"].received == 1


def test_a_source_that_fails_stops_no_other_and_is_told_once(
    labels: Labels, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "a.csv"
    file.write_text("request_id,value\na,1\n")
    os.utime(file, (1, 1))
    broken = LabelSource(model="m", url="sqlite:////none/none.db", query="SELECT 1")
    odd = LabelSource(model="m", url="odd://x", query="SELECT 1")
    fine = LabelSource(model="m", path="*.csv")
    made = LabelSources({"broken": broken, "odd": odd, "fine": fine}, labels, tmp_path / "home", tmp_path)
    with caplog.at_level(logging.ERROR):
        for turn in range(2):
            done = made.run_once(wall_now(), MachineTime(turn * 100 * SECOND_NS))
    assert set(done) == {"fine"}
    assert set(made.failures) == {"broken", "odd"}
    assert len(caplog.records) == 2
    assert labels.counts("m") == NONE | {"pending": 1}


def test_an_unknown_source_is_named(labels: Labels, tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="'t'") as raised:
        sources(labels, tmp_path, path="x").pull("t", wall_now())
    assert "known: s" in raised.value.fix


def test_a_table_of_sqlite_is_read_from_where_it_was_left(labels: Labels, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as shop:
        shop.execute("CREATE TABLE orders(id TEXT, churned INTEGER, seq INTEGER)")
        shop.executemany("INSERT INTO orders VALUES(?,?,?)", [(f"o{n}", n % 2, n) for n in range(25_000)])
    shop.close()
    made = sources(
        labels,
        tmp_path,
        url=f"sqlite:///{tmp_path}/shop.db",
        query="SELECT id, churned, seq FROM orders WHERE seq > :last ORDER BY seq",
        columns={"request_id": "id", "value": "churned"},
        cursor="seq",
        start="-1",
    )
    assert made.pull("s", wall_now()).counts["pending"] == 25_000
    assert made.pull("s", wall_now()).received == 0
    with sqlite3.connect(tmp_path / "shop.db") as shop:
        shop.execute("INSERT INTO orders VALUES('late', 7, 25000), ('new', 1, 25001)")
    shop.close()
    done = made.pull("s", wall_now())
    assert (done.counts["pending"], [place for place, _ in done.refused]) == (1, ["row:1"])


def test_the_place_is_kept_only_once_the_labels_are_on_disk(
    labels: Labels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as shop:
        shop.execute("CREATE TABLE orders AS SELECT 'a' AS request_id, 1 AS value, 5 AS seq")
    shop.close()
    given = {"url": f"sqlite:///{tmp_path}/shop.db", "query": "SELECT * FROM orders WHERE seq > :last", "start": 0}
    made = sources(labels, tmp_path, cursor="seq", columns={"request_id": "request_id", "value": "value"}, **given)
    with monkeypatch.context() as broken:
        broken.setattr(labels, "add_columns", lambda *_: (_ for _ in ()).throw(LabelError("full")))
        with pytest.raises(LabelError, match="full"):
            made.pull("s", wall_now())
    assert made.pull("s", wall_now()).received == 1


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"url": "nonsense", "query": "SELECT 1"}, "URL of the database"),
        ({"url": "odd://x", "query": "SELECT 1"}, "URL of the database"),
        ({"url": "sqlite://", "query": "SELECT nothing"}, "does not give labels"),
        ({"url": "sqlite://", "query": "SELECT 1 AS value"}, "no column 'request_id'"),
        ({"url": "sqlite://", "query": "SELECT 1 AS value, 'a' AS request_id", "cursor": "seq"}, "no column 'seq'"),
    ],
)
def test_a_database_that_gives_no_labels_says_why(
    labels: Labels, tmp_path: Path, given: dict[str, Any], word: str
) -> None:
    with pytest.raises(LabelError, match=word):
        sources(labels, tmp_path, **given).pull("s", wall_now())


def test_without_its_library_the_extra_is_named(
    labels: Labels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(GyroscopeError, match="sqlalchemy") as raised:
        sources(labels, tmp_path, url="sqlite://", query="SELECT 1").pull("s", wall_now())
    assert "gyroscope[sql]" in raised.value.fix


POSTGRES = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)
Server = tuple[int, Callable[[str], object]]  # its port, and how to run SQL


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    """A real server of one's own, with a password; (port, how to run SQL)."""
    if POSTGRES is None:
        if os.environ.get("CI"):
            pytest.fail("PostgreSQL is missing: scripts/prepare installs it")
        pytest.skip("PostgreSQL is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="gyro-pg-"))
    as_user = []
    if os.geteuid() == 0:  # PostgreSQL does not run as root
        shutil.chown(folder, "postgres", "postgres")
        as_user = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
    (folder / "password").write_text("p@ss w/rd")
    (folder / "password").chmod(0o644)
    run = {"check": True, "cwd": folder, "stdout": subprocess.DEVNULL}
    subprocess.run(
        [*as_user, POSTGRES / "initdb", "-D", folder / "data", "-U", "ann", "-A", "scram-sha-256",
         f"--pwfile={folder / 'password'}", "--no-sync"], **run
    )  # fmt: skip
    server = subprocess.Popen(
        [*as_user, POSTGRES / "postgres", "-D", folder / "data", "-p", str(port), "-k", folder, "-c", "fsync=off"],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    environment = {**os.environ, "PGPASSWORD": "p@ss w/rd"}
    ask = [POSTGRES / "psql", "-h", "127.0.0.1", "-p", str(port), "-U", "ann", "-d", "postgres", "-q", "-c"]
    try:
        for _ in range(200):
            if subprocess.run([*ask, "SELECT 1"], env=environment, capture_output=True).returncode == 0:
                break
            time.sleep(0.05)
        yield port, lambda sql: subprocess.run([*ask, sql], env=environment, check=True, capture_output=True)
    finally:
        server.terminate()
        server.wait(20)
        shutil.rmtree(folder)


@pytest.mark.peer
def test_labels_come_out_of_postgresql_as_they_are_added(postgres: Server, labels: Labels, tmp_path: Path) -> None:
    port, sql = postgres
    sql("CREATE TABLE outcomes(customer text, churned boolean, at timestamptz, version bigint, amount numeric)")
    sql("INSERT INTO outcomes SELECT 'c' || n, n % 2 = 0, '2026-01-01Z'::timestamptz + n * interval '1 s', n, n"
        " FROM generate_series(1, 12000) n")  # fmt: skip
    made = sources(
        labels,
        tmp_path,
        url=f"postgresql+psycopg://ann:p%40ss%20w%2Frd@127.0.0.1:{port}/postgres",
        query="SELECT customer, churned, at, version FROM outcomes WHERE at > :last ORDER BY at",
        columns={"entity_key": "customer", "value": "churned", "event_time": "at", "version": "version"},
        cursor="at",
        start="2000-01-01T00:00:00Z",
    )
    assert made.pull("s", wall_now()).counts["pending"] == 12_000
    assert made.pull("s", wall_now()).received == 0
    sql("INSERT INTO outcomes VALUES('new', true, '2026-02-01Z', 1, 1)")
    assert made.pull("s", wall_now()).counts["pending"] == 1


@pytest.mark.peer
@pytest.mark.parametrize("password", ["p%40ss%20w%2Frd", "wr%20ong%2B1"])
def test_no_message_shows_the_password(postgres: Server, labels: Labels, tmp_path: Path, password: str) -> None:
    port, _ = postgres
    given = {"url": f"postgresql+psycopg://ann:{password}@127.0.0.1:{port}/postgres", "query": "SELECT nothing"}
    with pytest.raises(LabelError) as raised:
        sources(labels, tmp_path, **given).pull("s", wall_now())
    shown = f"{raised.value}{raised.value.__context__!r}{LabelSource(model='m', **given)!r}"
    for word in (password, "p@ss w/rd", "wr ong+1"):
        assert word not in shown
