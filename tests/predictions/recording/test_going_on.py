"""Nothing that is asked of a recorder or fails beside it ends it, and it stops only when nothing is left."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec
import pytest
from tests.predictions.house import Entry, House

from gyroscope.predictions.keeping.erasure import Erased, Subject
from gyroscope.predictions.keeping.errands import Answer, Errand
from gyroscope.predictions.keeping.retention import Keeping
from gyroscope.predictions.keeping.upkeep import Upkeep
from gyroscope.predictions.segments.waiting import Segments

ANN = Subject("entity", "ann")


def ask(home: Path, name: str) -> Path:
    """An errand to erase ann; where its answer will be."""
    path = home / "run" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.encode(Errand(name, "flights", ANN)))
    return path.with_suffix(".done")


def rows_of_ann(house: House) -> int:
    return len(house.rows(where="entity_key = 'ann'"))


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gyroscope.predictions.recording.drain.Segments", lambda folders: Segments(folders, 2_000))


@pytest.fixture
def sent_again(house: House, entry: Entry, small_batches: None) -> House:
    """Batches of nothing but repeated records, and behind them ann's."""
    house.write(*[entry(number, ingested=True) for number in range(50)])
    house.record()
    again = [entry(number, ingested=True, arrival=1_800_000_000_000_000) for number in range(50)]
    house.write(*again, entry(99, ingested=True, entity_key="ann"))
    return house


def test_a_request_that_cannot_be_read_holds_up_no_other(
    house: House, entry: Entry, caplog: pytest.LogCaptureFixture
) -> None:
    house.write(entry(1, entity_key="ann"), entry(2))
    recorder = house.recorder(commit_every_s=0)
    done = ask(house.home, "erase-b.json")
    (house.home / "run" / "erase-a.json").mkdir()
    for _ in range(2):
        recorder.run_errands()
    erased = msgspec.json.decode(done.read_bytes(), type=Answer).erased
    assert erased is not None and erased.rows == 1
    assert len(caplog.records) == 1, "said once"


def test_an_answer_that_cannot_be_written_ends_nothing(
    house: House, entry: Entry, caplog: pytest.LogCaptureFixture
) -> None:
    house.write(entry(1, entity_key="ann"), entry(2))
    recorder = house.recorder(commit_every_s=0)
    done = ask(house.home, "erase-a.json")
    in_the_way = done.with_name(f".{done.name}.new")
    in_the_way.mkdir()
    recorder.run_errands()
    assert "cannot be answered" in caplog.text
    assert not done.exists()
    in_the_way.rmdir()
    done = ask(house.home, "erase-b.json")
    recorder.run_errands()
    assert done.exists()


def test_a_fault_of_an_erasure_is_answered_and_its_words_are_not_logged(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fault(home: Path, runtime: Path, model: str, subject: Subject) -> Erased:
        raise ValueError(f"what is it about {subject.value}?")

    monkeypatch.setattr("gyroscope.predictions.recording.recorder.erase", fault)
    done = ask(house.home, "erase-a.json")
    house.recorder(commit_every_s=0).run_errands()
    assert msgspec.json.decode(done.read_bytes(), type=Answer).what == "what is it about ann?"
    assert "ValueError" in caplog.text
    assert "ann?" not in caplog.text


def test_drain_ends_only_when_nothing_is_left(sent_again: House) -> None:
    assert sent_again.recorder(commit_every_s=0).drain() == 1
    assert (sent_again.segments(), rows_of_ann(sent_again)) == ([], 1)


def test_what_is_erased_does_not_come_back(sent_again: House) -> None:
    recorder = sent_again.recorder(commit_every_s=0)
    assert recorder.erase("flights", ANN).rows == 1
    recorder.drain()
    assert rows_of_ann(sent_again) == 0


def test_a_batch_that_nobody_can_read_yet_keeps_drain_from_nothing(
    house: House, entry: Entry, small_batches: None
) -> None:
    """Its writer lives and its version is gone: it is read again later, and `drain` does not wait for that."""
    gone = msgspec.structs.replace(house.versions["0a1b2c3d4e5f"], version="ffffffffffff")
    writer = house.log(version=gone)
    for number in range(50):
        writer.append(entry(number))

    recorder = house.recorder(commit_every_s=0)
    assert (recorder.drain(), recorder.failures) == (0, {})
    house.versions["ffffffffffff"] = gone
    assert recorder.drain() == 50


def test_upkeep_has_its_turn_while_rows_keep_coming(house: House, entry: Entry, small_batches: None) -> None:
    house.write(*[entry(number) for number in range(50)])
    stop = threading.Event()

    def zone_of(_: str) -> str:
        stop.set()
        return str(house.zone)

    recorder = house.recorder(commit_every_s=0, upkeep=Upkeep(house.home, Keeping(default_days=1), zone_of))
    recorder.run_forever(stop)
    assert house.segments() != [], "there was still something to record"


def test_the_report_names_what_upkeep_cannot_do(house: House, entry: Entry) -> None:
    house.write(entry(1))
    broken = house.home / "tables" / "broken" / "_delta_log"
    broken.mkdir(parents=True)
    (broken / "00000000000000000000.json").write_bytes(b"{")
    recorder = house.recorder(commit_every_s=0, upkeep=Upkeep(house.home, Keeping(), lambda _: house.zone))
    recorder.keep_up()
    assert recorder.failures == {}
    assert recorder.report().failures["broken"].startswith("upkeep: ")
