"""The chaos rows of the log in small, each with a control that must lose what the real one keeps."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.chaos import disks, l01_kills, l02_power
from benchmarks.log import l03_damage
from tests.conftest import missing

pytestmark = pytest.mark.journey

HASTE = {"BENCH_HASTE": "1"}


def test_kills_in_every_window_lose_nothing(tmp_path: Path) -> None:
    found = l01_kills.storm(tmp_path, 12, seed=0, block=12)
    print(f"kills {dict(found.kills)}, windows {found.hits}")
    assert found.cycles == 12
    assert sum(found.hits.values()) == 12
    assert found.worst.is_clean, found.worst
    assert found.worst.acknowledged > 0


def test_a_replica_that_acknowledges_before_it_writes_is_found_out(tmp_path: Path) -> None:
    lost, kills = l01_kills.sabotaged(tmp_path, 2)
    assert kills == 2
    assert lost > 0


@pytest.fixture
def can_break_disks() -> None:
    why = disks.missing()
    if why:
        missing(why)


@pytest.mark.peer
@pytest.mark.usefixtures("can_break_disks")
def test_power_cuts_lose_nothing_that_was_synced(tmp_path: Path) -> None:
    found = l02_power.cut_often(tmp_path, 2, seed=0, hooks=HASTE)
    assert found.cuts == 2
    assert found.synced > 0
    assert found.worst.is_clean, found.worst


@pytest.mark.peer
@pytest.mark.usefixtures("can_break_disks")
def test_a_disk_that_is_never_synced_is_found_out(tmp_path: Path) -> None:
    found = l02_power.cut_often(tmp_path, 4, 0, {**HASTE, "BENCH_SABOTAGE": "no_sync"}, until_lost=True)
    assert found.worst.lost > 0


@pytest.mark.parametrize("is_sealed", [True, False], ids=["sealed", "open"])
@pytest.mark.parametrize("kind", ["flip", "cut"])
def test_damage_is_seen_and_costs_one_record(kind: str, is_sealed: bool) -> None:
    segment = l03_damage.make_segment(0, is_sealed=is_sealed)
    found = l03_damage.run(segment, kind, 512, seed=0)
    assert found.places >= 2_047
    assert (found.missed, found.wrong, found.differing) == (0, 0, 0)
    assert found.most_lost <= (1 if kind == "flip" else 0)


def test_a_reader_without_body_checksums_is_found_out() -> None:
    found = l03_damage.without_body_checksums(l03_damage.make_segment(0, is_sealed=True), 0, most=200)
    assert found.missed > 0
