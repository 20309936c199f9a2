"""The words a replica shares with its parent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gyroscope.errors import ProcessError
from gyroscope.supervisor.pulse import COUNTERS, LATENCY_BOUNDS_S, MOST_INPUTS, Pulse


def test_reader_sees_what_the_writer_does(tmp_path: Path) -> None:
    writer = Pulse.create(tmp_path / "a.pulse")
    reader = Pulse.open(tmp_path / "a.pulse")
    assert (reader.pid, reader.state, reader.beat_ns, reader.deadline_ns) == (os.getpid(), "starting", 0, 0)
    writer.ready()
    writer.begin(100, 200)
    assert (reader.state, reader.beat_ns, reader.started_ns, reader.deadline_ns) == ("ready", 100, 100, 200)
    writer.end(150)
    assert (reader.beat_ns, reader.started_ns, reader.deadline_ns) == (150, 0, 0)
    writer.draining()
    assert reader.state == "draining"
    writer.close()
    reader.close()


def test_calls_in_hand_are_told_by_their_hashes(tmp_path: Path) -> None:
    pulse = Pulse.create(tmp_path / "a.pulse")
    assert pulse.inputs == []
    pulse.begin(1, 2, range(1, MOST_INPUTS + 1))
    assert pulse.inputs == [*range(1, MOST_INPUTS + 1)]
    pulse.begin(1, 2, (2**64 - 1,))
    assert pulse.inputs == [2**64 - 1]
    pulse.close()


def test_time_in_the_model_and_calls_of_it_are_counted(tmp_path: Path) -> None:
    pulse = Pulse.create(tmp_path / "a.pulse")
    pulse.begin(100, 900, (5, 6, 7), queue_ns=40)
    pulse.wait(2)
    assert (pulse.in_hand, pulse.waiting) == (3, 2)
    pulse.end(350)
    pulse.begin(1_000, 2_000, (8,), queue_ns=2)
    pulse.end(1_050)
    pulse.end(5_000)
    found = pulse.counters()
    assert (found["model_calls"], found["model_requests"], found["busy_ns"]) == (2, 4, 300)
    assert (found["queue_ns"], pulse.in_hand, pulse.batch_buckets()) == (42, 0, [1, 0, 1, 0, 0, 0, 0])
    pulse.begin(1_000, 2_000, range(1, MOST_INPUTS + 1))
    assert pulse.batch_buckets()[-1] == 1
    pulse.close()


def test_a_turn_of_plain_calls_is_shown_and_counted_as_any_others(tmp_path: Path) -> None:
    plain, other = Pulse.create(tmp_path / "a.pulse"), Pulse.create(tmp_path / "b.pulse")
    plain.begin(1, 2, (7, 8))
    plain.end(3)
    plain.begin_turn(1_000, 9_000)
    assert (plain.beat_ns, plain.started_ns, plain.deadline_ns, plain.inputs) == (1_000, 1_000, 9_000, [])
    for input_hash in (5, 6):
        plain.hold(input_hash)
        assert (plain.inputs, plain.in_hand) == ([input_hash], 1), "its neighbours are not to blame"
    plain.hold_all([3, 5, 4])
    plain.hold_all([9, 8])
    assert (plain.inputs, plain.in_hand) == ([9, 8], 2)
    assert plain.counters()["model_requests"] == 2
    ended, arrived = 3_000_350, (600, 990, 2_000_350)
    plain.end_turn(ended)
    assert (plain.beat_ns, plain.started_ns, plain.deadline_ns, plain.in_hand) == (ended, 0, 0, 0)
    plain.served_turn(arrived, 2_000_400, ended)
    other.begin(1, 2, (7, 8))
    other.end(3)
    for at, began, until in zip(arrived, (2_000_400, 2_001_000, 2_600_000), (2_001_000, 2_600_000, ended), strict=True):
        other.begin(began, 9_000_000, (5,), 2_000_400 - at)
        other.end(until)
        other.served(1, "", ended - at)
    assert plain.counters() == other.counters()
    assert plain.batch_buckets() == other.batch_buckets() == [3, 1, 0, 0, 0, 0, 0]
    assert (plain.latency_buckets(), plain.latency_sum_ns) == (other.latency_buckets(), other.latency_sum_ns)
    assert len([calls for calls in plain.latency_buckets() if calls]) == 2
    before = plain.latency_buckets()
    plain.served_turn([ended - 1, ended - 2, ended - 3], ended, ended)
    assert plain.latency_buckets() == [before[0] + 3, *before[1:]], "all in one bucket"
    plain.close()
    other.close()


def test_counters_outlive_the_process_and_the_state_does_not(tmp_path: Path) -> None:
    first = Pulse.create(tmp_path / "a.pulse")
    first.ready()
    first.begin(1, 2)
    first.add("rows", 5)
    first.add("rows")
    first.observe_latency(1_000_000)
    first.close()
    second = Pulse.create(tmp_path / "a.pulse")
    assert (second.state, second.beat_ns, second.deadline_ns) == ("starting", 0, 0)
    assert second.counters() == {**dict.fromkeys(COUNTERS, 0), "rows": 6}
    assert sum(second.latency_buckets()) == 1
    second.close()


def test_latency_buckets_hold_their_upper_bound(tmp_path: Path) -> None:
    pulse = Pulse.create(tmp_path / "a.pulse")
    for bound in LATENCY_BOUNDS_S:
        pulse.observe_latency(round(bound * 1e9))
    pulse.observe_latency(60_000_000_000)
    assert pulse.latency_buckets() == [1] * (len(LATENCY_BOUNDS_S) + 1)
    assert pulse.latency_sum_ns == sum(round(bound * 1e9) for bound in LATENCY_BOUNDS_S) + 60_000_000_000
    pulse.close()


@pytest.mark.parametrize("content", [b"", b"short", bytes(1000)])
def test_a_file_of_another_kind_is_no_pulse_and_is_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.pulse"
    path.write_bytes(content)
    with pytest.raises(ProcessError, match="no pulse file"):
        Pulse.open(path)
    Pulse.create(path).close()
    Pulse.open(path).close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match="No such file") as caught:
        Pulse.create(tmp_path / "nowhere" / "a.pulse")
    assert "nowhere" in caught.value.where
    with pytest.raises(ProcessError):
        Pulse.open(tmp_path / "nowhere" / "a.pulse")
