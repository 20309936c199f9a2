"""A request that comes again: one row is the answered one, and a record that was written twice is one row."""

from __future__ import annotations

import shutil

from tests.predictions.house import Entry, House

from gyroscope.predictions.ids.index import ids_path
from gyroscope.predictions.segments.wal import LogEntry


def test_retries_leave_one_answered_row(house: House, entry: Entry) -> None:
    first, second = house.log(0), house.log(1)
    first.append(entry(1, arrival=10))
    second.append(entry(1, arrival=20))
    first.append(entry(2, arrival=30))
    assert house.record() == 3
    second.append(entry(2, arrival=40))
    second.append(entry(3, status=500, arrival=50))
    first.append(entry(3, arrival=60))
    assert house.record() == 3
    assert house.rows() == [
        ("r-000001", 1, False, False),
        ("r-000001", 2, True, False),
        ("r-000002", 1, False, False),
        ("r-000002", 2, True, False),
        ("r-000003", 1, False, False),
        ("r-000003", 2, True, False),
    ]


def test_all_rows_of_an_earlier_attempt_are_demoted(house: House, entry: Entry) -> None:
    house.write(entry(1, rows=3, arrival=10))
    house.record()
    house.write(entry(1, rows=3, arrival=20))
    house.record()
    assert house.rows("attempt, row, answered") == [(n, row, n == 2) for n in (1, 2) for row in range(3)]


def test_one_id_with_two_inputs_is_flagged_and_kept(house: House, entry: Entry) -> None:
    hostile = "r'); DROP TABLE x; -- \\ \" é\n"
    for value, arrival in ((1.0, 10), (2.0, 20)):
        some = entry(1, value=value, arrival=arrival)
        some.request_id = hostile
        house.write(some)
        house.record()
    assert house.rows() == [(hostile, 1, True, True), (hostile, 2, True, True)]


def test_a_record_that_was_written_twice_is_one_row(house: House, entry: Entry) -> None:
    """After a failed fsync records are written again into a new segment: there they are the same to the microsecond."""
    twice = [entry(1), entry(2), entry(3, status=500)]
    house.write(*twice)
    house.write(*twice[:1])
    assert house.record() == 3
    house.write(*twice, entry(4))
    assert house.record() == 1
    assert house.rows() == [(f"r-{number:06d}", 1, True, False) for number in (1, 2, 3, 4)]
    assert house.segments() == []


def test_an_ingested_record_counts_once(house: House, entry: Entry) -> None:
    house.write(entry(1, ingested=True), entry(2, ingested=True))
    house.record()
    again = [entry(number, ingested=True, arrival=1_800_000_000_000_000) for number in (1, 2, 3)]
    house.write(*again, entry(3, ingested=True, arrival=1_900_000_000_000_000))
    house.write(entry(1, value=9.0, ingested=True, arrival=1_900_000_000_000_000))
    recorder = house.recorder(commit_every_s=0)
    assert recorder.run_once() == 2
    assert recorder.report().repeated == {"flights": 3}
    assert [row[:2] for row in house.rows()] == [("r-000001", 1), ("r-000001", 2), ("r-000002", 1), ("r-000003", 1)]


def test_a_shadow_answer_stands_beside_the_live_one(house: House, entry: Entry) -> None:
    """Same request, another version, never a retry; its own retries are judged among themselves."""
    house.write(entry(1, arrival=10), entry(1, arrival=11, variant="shadow", weight=4))
    house.record()
    house.write(entry(1, arrival=20, variant="shadow"), entry(2, variant="canary"))
    house.record()
    columns = "variant, attempt, answered, id_conflict, weight, epoch_us(arrival_time)"
    assert sorted(house.rows(columns, "request_id = 'r-000001'")) == [
        ("live", 1, True, False, 1, 10),
        ("shadow", 1, False, False, 4, 11),
        ("shadow", 2, True, False, 1, 20),
    ]
    assert house.rows("variant", "request_id = 'r-000002'") == [("canary",)]
    shutil.rmtree(ids_path(house.home, "flights"))
    house.write(entry(1, arrival=30, variant="shadow"))
    house.record()
    assert sorted(house.rows("variant, attempt, answered", "request_id = 'r-000001'")) == [
        ("live", 1, True), ("shadow", 1, False), ("shadow", 2, False), ("shadow", 3, True)
    ]  # fmt: skip


def test_one_id_for_everything_is_recorded_all_the_same(house: House, entry: Entry) -> None:
    def same(number: int) -> LogEntry:
        some = entry(number, value=float(number), arrival=1_700_000_000_000_000 + number)
        some.request_id = "constant"
        return some

    for start in (0, 3_000):
        house.write(*[same(number) for number in range(start, start + 3_000)])
        assert house.record() == 3_000
    assert len({row[1] for row in house.rows()}) == 6_000
