"""One subject goes out of a home for good: afterwards no file of it holds the subject's name."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from tests.assembly.conftest import Lived

from gyroscope.assembly.erasing import AUDIT, erase_subject
from gyroscope.assembly.verifying import verify_home
from gyroscope.clock import EventTime, sleep
from gyroscope.errors import ModelError, ProcessError, StoreError
from gyroscope.predictions.ids.index import OWED, IdIndex, ids_path
from gyroscope.predictions.keeping import erasure
from gyroscope.predictions.keeping.erasure import Subject
from gyroscope.predictions.keeping.errands import Errand, ask, errands, refuse
from gyroscope.predictions.recording.recorder import Recorder
from gyroscope.predictions.segments.waiting import Segments
from gyroscope.records import Label

HOSTILE = "O'Brien\"; DROP TABLE x;--%_\\ü"


def holding(folder: Path, text: str) -> list[str]:
    """Every file below a folder that holds this text, zipped columns read too."""
    import duckdb

    found = [str(path) for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]
    for path in folder.rglob("*.parquet"):
        if "_delta_log" in path.parts:
            source = f"SELECT to_json(t)::VARCHAR FROM read_parquet('{path}') t"
        else:
            source = f"SELECT to_json(t)::VARCHAR FROM read_parquet('{path}', hive_partitioning=false) t"
        rows = duckdb.connect().execute(f"SELECT count(*) FROM ({source}) s(j) WHERE contains(j, ?)", [text]).fetchone()
        if rows[0]:
            found.append(str(path))
    return found


def rows(lived, condition: str = "") -> int:
    table = lived.house.table("flights")
    return sum(len(table.read(file, ["request_id"])["request_id"]) for file in table.files())


@pytest.fixture
def with_subjects(lived: Lived) -> Lived:
    """Rows of two entities and clients, on several days and in several files, and their labels."""
    log = lived.log()
    lived.predict(log, *range(20), entity_key="N-first", client_id="client-one")
    lived.record()
    lived.predict(log, *range(20, 40), entity_key=HOSTILE, client_id="client-two")
    lived.record()
    lived.predict(log, *range(40, 60), entity_key="N-first", client_id="client-two")
    log.close()
    lived.house.labels.add("flights", [Label(f"r-{k:06d}", 1.0) for k in range(60)], EventTime(10**15))
    lived.house.labels.add("flights", [Label("r-000003", 1.0), Label("waits", 0.0)], EventTime(10**15))
    lived.house.labels.refuse(
        "flights", [(0, '{"request_id": "r-000003", "value": []}', "no value")], EventTime(10**15)
    )
    return lived


def test_one_request(with_subjects):
    lived = with_subjects
    before = lived.house.labels.counts("flights")
    erased = erase_subject(lived.house, "flights", Subject("request-id", "r-000003"))
    assert (erased.rows, erased.requests, erased.labels, erased.left_in) == (1, 1, 2, ())
    assert rows(lived) == 59, "what waited in a segment was drained first"
    assert holding(lived.home, "r-000003") == []
    lived.record()
    index = IdIndex.reading(ids_path(lived.home, "flights"))
    assert list(index.places(["r-000003", "r-000004"])) == ["r-000004"]
    after = lived.house.labels.counts("flights")
    assert sum(before.values()) - sum(after.values()) == 2
    assert lived.record() == 0
    assert verify_home(lived.home, lived.house.runtime).faults == (), "labels and index balance"


@pytest.mark.parametrize(
    ("subject", "gone", "labels"),
    [
        (Subject("entity", "N-first"), 40, 41),
        (Subject("entity", HOSTILE), 20, 20),
        (Subject("where-client", "client-two"), 40, 40),
    ],
)
def test_all_of_an_entity_or_a_client(with_subjects, subject, gone, labels):
    lived = with_subjects
    erased = erase_subject(lived.house, "flights", subject)
    assert (erased.rows, erased.requests) == (gone, gone)
    assert erased.labels in (labels, labels - 1)
    assert rows(lived) == 60 - gone
    assert holding(lived.home, subject.value) == [] and erased.left_in == ()
    lived.record()
    assert verify_home(lived.home, lived.house.runtime).faults == ()


def test_nothing_is_named_in_the_audit(with_subjects):
    lived = with_subjects
    erase_subject(lived.house, "flights", Subject("entity", HOSTILE))
    lines = (lived.house.logs / AUDIT).read_bytes().splitlines()
    entry = msgspec.json.decode(lines[0])
    assert (entry["what"], entry["model"], entry["by"], entry["rows"]) == ("erase", "flights", "entity", 20)
    assert HOSTILE not in repr(Subject("entity", HOSTILE))
    assert oct((lived.house.logs / AUDIT).stat().st_mode & 0o777) == "0o600"


def test_recording_and_labels_go_on_afterwards(with_subjects):
    lived = with_subjects
    erase_subject(lived.house, "flights", Subject("entity", "N-first"))
    log = lived.log()
    lived.predict(log, 100, 101)
    log.close()
    assert lived.record() == 2
    report = lived.house.labels.add("flights", [Label("r-000100", 1.0), Label("r-000003", 1.0)], EventTime(10**15))
    assert (report.counts["joined"], report.counts["pending"]) == (1, 1)


def test_what_is_still_written_to_is_named(with_subjects):
    lived = with_subjects
    live = lived.log()
    lived.predict(live, 200, entity_key="N-live")
    erased = erase_subject(lived.house, "flights", Subject("entity", "N-live"))
    assert erased.rows == 1
    assert [Path(path).suffix for path in erased.left_in] == [".seg"]
    assert holding(lived.home, "N-live") == []


def test_damaged_records_are_emptied_of_a_subject(with_subjects):
    lived = with_subjects
    log = lived.log()
    lived.predict(log, 300, entity_key="N-broken")
    log.close()
    segment = max((lived.house.segments / "flights").glob("*.seg"))
    data = bytearray(segment.read_bytes())
    data[64 + 100] ^= 1
    segment.write_bytes(data)
    lived.record()
    assert holding(lived.home, "N-broken") != []
    erase_subject(lived.house, "flights", Subject("entity", "N-broken"))
    assert holding(lived.home, "N-broken") == []
    assert len(verify_home(lived.home, lived.house.runtime).damage) == 1, "that something was lost stays known"


def test_a_segment_that_was_set_aside_loses_one_subject_and_no_other(with_subjects):
    lived = with_subjects
    log = lived.log()
    lived.predict(log, 400, entity_key="N-aside")
    lived.predict(log, 401, entity_key="N-other")
    log.close()
    segment = max((lived.house.segments / "flights").glob("*.seg"))
    aside = lived.home / "damage" / "flights" / segment.name
    aside.parent.mkdir(parents=True)
    shutil.move(segment, aside)
    erase_subject(lived.house, "flights", Subject("entity", "N-aside"))
    assert holding(lived.home, "N-aside") == []
    shutil.move(aside, segment)
    assert lived.record() == 1, "the other record is whole"


@pytest.fixture
def aside(with_subjects: Lived) -> tuple[Lived, Path, Path]:
    """A segment of records that was set aside; `r-000007` is also a part of what others are called."""
    lived = with_subjects
    log = lived.log()
    lived.predict(log, 7, 70, 71, entity_key="r-000007-not", client_id="7")
    lived.predict(log, 72, entity_key="r-000007")
    log.close()
    segment = max((lived.house.segments / "flights").glob("*.seg"))
    shutil.move(segment, lived.home / segment.name)
    return lived, lived.home / segment.name, segment


@pytest.mark.parametrize(
    ("subject", "left"),
    [
        (Subject("request-id", "r-000007"), 3),
        (Subject("request-id", "7"), 4),
        (Subject("entity", "r-000007"), 3),
        (Subject("where-client", "7"), 1),
        (Subject("entity", "0"), 4),
    ],
)
def test_set_aside_exactly_the_subjects_own_records_are_emptied(aside, subject, left):
    lived, segment, drained_from = aside
    of_model, of_other = (lived.home / "damage" / model / segment.name for model in ("flights", "other"))
    for copy in (of_model, of_other):
        copy.parent.mkdir(parents=True)
        shutil.copy(segment, copy)
    erase_subject(lived.house, "flights", subject)
    assert of_other.read_bytes() == segment.read_bytes(), "another model's"
    shutil.move(of_model, drained_from)
    waiting = [piece for piece in Segments([drained_from.parent]).read({}).pieces if piece.name == segment.name]
    assert [len(piece.scan.offsets) for piece in waiting] == [left]


@pytest.mark.parametrize(
    ("value", "is_gone"), [("N-short", True), ("short", False), ("N-longer-one", True), ("N", False)]
)
def test_a_damaged_record_is_emptied_of_who_it_was_about(with_subjects, value, is_gone):
    lived = with_subjects
    log = lived.log()
    lived.predict(log, 300, entity_key="N-longer-one" if "longer" in value else "N-short")
    log.close()
    segment = max((lived.house.segments / "flights").glob("*.seg"))
    data = bytearray(segment.read_bytes())
    data[64 + 100] ^= 1
    segment.write_bytes(data)
    lived.record()
    erase_subject(lived.house, "flights", Subject("entity", value))
    with closing(sqlite3.connect(ids_path(lived.home, "flights") / OWED)) as db:
        kept = db.execute("SELECT instr(data, ?) FROM damage", (value.encode(),)).fetchall()
    assert [place > 0 for (place,) in kept] == [not is_gone]


@pytest.mark.parametrize(
    ("value", "left"), [("7", 5), ("r-000007", 4), ('N-"é', 5), ("71", 5), ("r-71", 4), ("unread-71", 4), ("unread", 5)]
)
def test_of_refused_labels_exactly_the_subjects_own_go(lived, value, left):
    texts = [
        '{"request_id": "r-000007", "value": []}',
        '{"request_id": "r-0000071", "value": "7"}',
        '{"entity_key": "r-71", "value": "N-\\"\u00e9"}',
        '{"request_id": "unread-71", "val',
        "[7, 71]",
    ]
    lived.house.labels.refuse("flights", [(at, text, "why") for at, text in enumerate(texts)], EventTime(10**15))
    erase_subject(lived.house, "flights", Subject("entity", value))
    assert lived.house.labels.counts("flights")["refused"] == left


def test_labels_of_a_model_that_has_no_rows(lived):
    lived.house.labels.add("flights", [Label("waits", 1.0)], EventTime(10**15))
    erased = erase_subject(lived.house, "flights", Subject("request-id", "waits"))
    assert (erased.rows, erased.labels) == (0, 1)
    assert sum(lived.house.labels.counts("flights").values()) == 0


def test_a_stranger_leaves_everything_as_it_is(with_subjects):
    lived = with_subjects
    lived.record()
    erased = erase_subject(lived.house, "flights", Subject("entity", "nobody"))
    assert (erased.rows, erased.labels, erased.days) == (0, 0, ())
    assert rows(lived) == 60


def test_an_empty_name_and_an_unknown_model_are_refused(lived):
    with pytest.raises(StoreError, match="empty text"):
        erase_subject(lived.house, "flights", Subject("entity", ""))
    with pytest.raises(ModelError):
        erase_subject(lived.house, "flihgts", Subject("entity", "x"))


def test_a_running_recorder_is_asked(with_subjects):
    lived = with_subjects
    recorder = Recorder(lived.home, lived.house.runtime, lived.house.models.get, lived.house.zone_of)
    stop = threading.Event()
    thread = threading.Thread(target=recorder.run_forever, args=(stop,))
    thread.start()
    try:
        erased = erase_subject(lived.house, "flights", Subject("entity", "N-first"))
    finally:
        stop.set()
        thread.join()
        recorder.close()
    assert (erased.rows, erased.left_in) == (40, ())
    assert holding(lived.home, "N-first") == []
    assert list(lived.house.run_dir.glob("erase-*")) == []


def test_what_a_recorder_cannot_do_comes_back_as_an_error(lived):
    def answer_badly() -> None:
        while not (found := errands(lived.home)):
            sleep(0.01)
        refuse(lived.home, found[0], StoreError("the table is damaged", where="there", fix="mend it"))

    thread = threading.Thread(target=answer_badly)
    thread.start()
    with pytest.raises(StoreError, match="the table is damaged") as refused:
        ask(lived.home, "flights", Subject("entity", "x"))
    thread.join()
    assert refused.value.fix == "mend it"
    lived.house.run_dir.joinpath("erase-broken.json").write_bytes(b"{")
    assert errands(lived.home) == [] and list(lived.house.run_dir.glob("erase-*")) == []
    refuse(lived.home, Errand("erase-1.json", "flights", Subject("entity", "x")), OSError(28, "no room"))


def test_a_recorder_that_does_not_answer(lived):
    with pytest.raises(ProcessError, match="has not answered"):
        ask(lived.home, "flights", Subject("entity", "secret"), timeout_s=0.4)
    assert holding(lived.home, "secret") == []


def test_what_cannot_be_recorded_stops_an_erasure(with_subjects):
    lived = with_subjects
    recorder = Recorder(lived.home, lived.house.runtime, lived.house.models.get, lived.house.zone_of, commit_every_s=0)
    page = min((lived.home / "tables" / "flights" / "_delta_log").glob("*.json"))
    page.write_bytes(b"{")
    with pytest.raises(StoreError):
        recorder.erase("flights", Subject("entity", "N-first"))
    recorder.close()


KILLED = """
import os, signal, sys
from pathlib import Path
from gyroscope.assembly import House
from gyroscope.assembly.erasing import erase_subject
from gyroscope.predictions.keeping import erasure
from gyroscope.predictions.keeping.erasure import Subject

settings, step, when, value = sys.argv[1:]
real = getattr(erasure, step)
def replaced(*args, **more):
    if when == "after":
        real(*args, **more)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(erasure, step, replaced)
erase_subject(House(Path(settings)), "flights", Subject("entity", value))
"""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["erase_labels", "commit", "sync_checkpoint", "trim_log", "remove_now", "scrub"])
def test_killed_anywhere_it_is_made_good_by_asking_again(with_subjects, step, when):
    lived = with_subjects
    assert hasattr(erasure, step)
    command = [sys.executable, "-c", KILLED, str(lived.house.settings_path), step, when, "N-first"]
    ended = subprocess.run(command, env=os.environ, capture_output=True, timeout=60)
    assert ended.returncode == -9, ended.stderr.decode()
    erased = erase_subject(lived.house, "flights", Subject("entity", "N-first"))
    assert erased.left_in == ()
    assert rows(lived) == 20
    assert holding(lived.home, "N-first") == []
    lived.record()
    assert verify_home(lived.home, lived.house.runtime).faults == ()
