"""No row of `bench-loop` holds when nothing was found, or when what should be measured died."""

from __future__ import annotations

import shutil

from benchmarks.loop import o01_story
from benchmarks.loop.o10_flapping import FAULTS, rows_of
from benchmarks.target import Options


def test_no_row_of_a_demo_that_dies_at_once_holds(tmp_path, monkeypatch):
    monkeypatch.setattr(o01_story, "GYRO", shutil.which("false"))
    rows = o01_story.measure(Options(False, 0, tmp_path, ("O1", "O2")))
    assert {row.id for row in rows} == {"O1", "O2"}
    assert [row.claim for row in rows if row.holds] == []


def test_a_broken_column_without_an_incident_is_as_wrong_as_one_with_two():
    for incidents in ([], [None, None]):
        missing, broken, _ = rows_of([(incidents, len(incidents))] * len(FAULTS))
        assert (missing.value, missing.holds, broken.value, broken.holds) == (1, False, len(FAULTS), False)
