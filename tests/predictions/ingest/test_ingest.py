"""Writing down what was made elsewhere: durable, exactly once, and never faster than it is drained."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gyroscope.clock import EventTime
from gyroscope.errors import StoreError
from gyroscope.predictions.ingest.given import Given
from gyroscope.predictions.ingest.ingest import Ingest
from gyroscope.predictions.reading.selection import Selection
from gyroscope.predictions.recording.recorder import Recorder
from gyroscope.predictions.tables.table import Table, table_path
from gyroscope.records import Feature, Signature, Version
from gyroscope.settings import Serving, Settings

NOW = EventTime(1_700_000_000_000_000)
SIGNATURE = Signature(
    "binary",
    (
        Feature("age"),
        Feature("mail", "string", ("a@example.com",), role="pii"),
        Feature("income", role="drop"),
        Feature("score", role="hash"),
    ),
)
VERSION = Version("flights", "0a1b2c3d4e5f", "external", "", "0", SIGNATURE, EventTime(0))


class Place:
    """A home, its recorder and the rows that come out."""

    def __init__(self, folder: Path, runtime: Path) -> None:
        self.folder, self.runtime = folder, runtime

    def settings(self, **serving: object) -> Settings:
        return Settings(home=str(self.folder), runtime_dir=str(self.runtime), serving=Serving(**serving))  # type: ignore[arg-type]

    def drain(self) -> None:
        recorder = Recorder(self.folder, self.runtime, lambda *_: VERSION, lambda _: "UTC", commit_every_s=0)
        recorder.drain()
        assert recorder.failures == {}
        recorder.close()

    @property
    def selection(self) -> Selection:
        return Selection(Table(table_path(self.folder, "flights")))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None) as runtime:
        yield Place(tmp_path / "home", Path(runtime))


def given(*numbers: int) -> Given:
    return Given(
        request_id=[f"r-{number}" for number in numbers],
        inputs={
            "age": [float(number) for number in numbers],
            "mail": ["b@example.com"] * len(numbers),
            "income": [123_456.75] * len(numbers),
            "score": [7.25] * len(numbers),
        },
        outputs=[[0.25] * len(numbers)],
    )


@pytest.mark.parametrize(("log", "said"), [("os", "os"), ("full", "full"), ("off", "os")])
def test_what_was_written_is_recorded_whatever_serving_logs(place: Place, log: str, said: str):
    ingest = Ingest(place.settings(log=log), VERSION)
    written = ingest.add(given(*range(50)), NOW)
    ingest.close()
    assert (written.written, written.logged, written.refused) == (50, said, [])
    place.drain()
    found = place.selection.sql("SELECT request_id, feature_age FROM predictions").polars()
    assert dict(found.rows()) == {f"r-{number}": float(number) for number in range(50)}


def test_sampling_of_what_is_served_leaves_out_nothing_that_is_taken_in(place: Place):
    ingest = Ingest(place.settings(keep_one_in=10), VERSION)
    assert ingest.add(given(*range(50)), NOW).written == 50
    ingest.close()
    place.drain()
    assert place.selection.sql("SELECT DISTINCT weight, count(*) OVER () FROM predictions").polars().rows() == [(1, 50)]


def test_sent_again_from_anywhere_a_row_is_recorded_once(place: Place):
    for later in range(3):
        ingest = Ingest(place.settings(), VERSION)
        ingest.add(given(1, 2, 3), EventTime(NOW + later))
        ingest.close()
        if later:
            place.drain()
    assert place.selection.sql("SELECT count(*) FROM attempts").polars().item() == 3


def test_roles_are_applied_and_nothing_that_is_not_to_be_kept_lies_anywhere(place: Place):
    ingest = Ingest(place.settings(), VERSION)
    failed = given(2)
    failed.status, failed.error = [500], ["b@example.com is not a number"]
    ingest.add(given(1), NOW)
    ingest.add(failed, NOW)
    ingest.close()
    files = [path.read_bytes() for path in place.runtime.rglob("*.seg")]
    place.drain()
    files += [path.read_bytes() for path in place.folder.rglob("*") if path.is_file()]
    assert not any(b"b@example.com" in content for content in files)
    found = place.selection.polars()
    assert "feature_income" not in found.columns
    assert len({*found["feature_mail"], *found["feature_score"]}) == 2
    for digest in (*found["feature_mail"], *found["feature_score"]):
        assert len(digest) == 16
        assert set(digest) <= set("0123456789abcdef")


def test_an_ingest_that_fills_its_segments_waits_until_there_is_room(place: Place):
    drained = 0

    def make_room() -> None:
        nonlocal drained
        drained += 1
        place.drain()

    # One MiB holds two thousand of these rows at most.
    ingest = Ingest(place.settings(segment_cap_mib=1), VERSION, make_room)
    ids = range(12_000)
    assert ingest.add(given(*ids), NOW).written == len(ids)
    ingest.close()
    place.drain()
    assert drained > 0
    assert place.selection.sql("SELECT count(*) FROM attempts").polars().item() == len(ids)


def test_without_room_it_gives_up_and_says_what_to_do(place: Place):
    ingest = Ingest(place.settings(segment_cap_mib=1), VERSION, patience_s=0.2)
    with pytest.raises(StoreError, match="cap of 1048576 bytes") as refused:
        ingest.add(given(*range(12_000)), NOW)
    assert "send the same again" in refused.value.fix
    ingest.close()
    place.drain()
    kept = place.selection.sql("SELECT count(*) FROM attempts").polars().item()
    assert 0 < kept < 12_000
    again = Ingest(place.settings(), VERSION)
    again.add(given(*range(12_000)), EventTime(NOW + 1))
    again.close()
    place.drain()
    assert place.selection.sql("SELECT count(*) FROM attempts").polars().item() == 12_000
