"""The words about inputs that kill, shared by real maps of one file."""

from __future__ import annotations

from pathlib import Path

import pytest

from gyroscope.errors import ProcessError
from gyroscope.supervisor.quarantine import EXPIRES_NS, FATAL, SLOTS, Quarantine


def test_every_map_sees_blame_and_acquittal(tmp_path: Path) -> None:
    supervisor, replica = Quarantine(tmp_path / "q"), Quarantine(tmp_path / "q")
    assert supervisor.blame([5, 6], 0) == []
    assert [replica.kills(one, 0) for one in (5, 6, 7)] == [1, 1, 0]
    replica.acquit(5)
    replica.acquit(7)
    assert supervisor.blame([5, 6], 0) == [6]
    assert [replica.kills(one, 0) for one in (5, 6)] == [1, FATAL]
    again = Quarantine(tmp_path / "q")
    assert again.kills(6, 0) == FATAL, "a supervisor or replica that starts anew finds what is there"
    for one in (supervisor, replica, again):
        one.close()
    assert (tmp_path / "q").stat().st_mode & 0o777 == 0o600


def test_blame_counts_on_from_the_last_kill_and_expires(tmp_path: Path) -> None:
    shared = Quarantine(tmp_path / "q")
    shared.blame([5], 0)
    shared.blame([5], EXPIRES_NS - 1)
    assert shared.kills(5, 2 * EXPIRES_NS - 2) == FATAL
    assert shared.kills(5, 2 * EXPIRES_NS - 1) == 0
    assert shared.blame([5], 2 * EXPIRES_NS) == []


def test_the_oldest_gives_way_when_all_places_are_taken(tmp_path: Path) -> None:
    shared = Quarantine(tmp_path / "q")
    for input_hash in range(1, SLOTS + 1):
        shared.blame([input_hash], now_ns=input_hash)
    shared.acquit(9)
    for newcomer in (1001, 1002):
        shared.blame([newcomer], now_ns=100)
    known = [one for one in (*range(1, SLOTS + 1), 1001, 1002) if shared.kills(one, now_ns=101)]
    assert known == [*range(2, 9), *range(10, SLOTS + 1), 1001, 1002]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match="No such file") as caught:
        Quarantine(tmp_path / "nowhere" / "q")
    assert "nowhere" in caught.value.where


def test_the_same_input_twice_in_one_batch_died_once(tmp_path: Path) -> None:
    shared = Quarantine(tmp_path / "q")
    assert shared.blame([5, 5, 6, 5], 0) == []
    assert [shared.kills(one, 0) for one in (5, 6)] == [1, 1]


def test_what_was_blamed_before_the_machine_started_anew_is_forgotten(tmp_path: Path) -> None:
    """The clock of the machine begins anew then, and the file may lie on a disk."""
    month_ns = 30 * 144 * EXPIRES_NS
    shared = Quarantine(tmp_path / "q")
    assert shared.blame([5], month_ns) == []
    assert shared.blame([5], month_ns) == [5]
    assert shared.kills(5, EXPIRES_NS) == 0
    assert shared.blame([5], EXPIRES_NS) == []
    assert shared.kills(5, EXPIRES_NS) == 1
