"""No row of `bench-loop` holds when nothing was found, or when what should be measured died."""

from __future__ import annotations

import shutil

import numpy as np
from benchmarks.loop import o01_story, replayed
from benchmarks.loop.o10_flapping import FAULTS, rows_of
from benchmarks.target import Options

from gyroscope.scaling.horizontal import Policy
from gyroscope.simulation import Replica
from gyroscope.stats.queueing import Promise


def test_no_row_of_a_demo_that_dies_at_once_holds(tmp_path, monkeypatch):
    monkeypatch.setattr(o01_story, "GYRO", shutil.which("false"))
    rows = o01_story.measure(Options(False, 0, tmp_path, ("O1", "O2")))
    assert {row.id for row in rows} == {"O1", "O2"}
    assert [row.claim for row in rows if row.holds] == []


def test_a_broken_column_without_an_incident_is_as_wrong_as_one_with_two():
    for incidents in ([], [None, None]):
        missing, broken, _ = rows_of([(incidents, len(incidents))] * len(FAULTS))
        assert (missing.value, missing.holds, broken.value, broken.holds) == (1, False, len(FAULTS), False)


def test_chance_alone_keeps_single_replays_well_within_what_the_row_allows():
    per_s, seconds = np.array(replayed.rates(4)).T
    gaps = np.random.default_rng(0).exponential(np.repeat(1 / per_s, (per_s * seconds).astype(int)))
    start_s = replayed.LOAD_S + 0.5
    replica = Replica(replayed.MEAN_MS / 1_000, cv2=1 / replayed.SHAPE, start_s=start_s, patience_s=1.0)
    policy = Policy(1, 8, Promise(replayed.WITHIN_S, patience_s=1.0), start_s=start_s, down_after_s=10.0)
    counts = [outcome.violations for outcome in replayed.over_and_over(gaps.cumsum(), replica, policy)]
    assert np.std(counts) / np.mean(counts) < replayed.AGREE / 2
    assert len(set(counts)) > 10
