"""Segments become rows exactly once, wherever the recorder is killed."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import msgspec
import pytest
from deltalake import DeltaTable
from tests.predictions.house import Entry, House

from gyroscope.clock import DAY_US
from gyroscope.predictions.ids.index import IdIndex, ids_path
from gyroscope.predictions.tables.commits import OFFSETS
from gyroscope.predictions.tables.table import table_path

KILLED_RECORDER = textwrap.dedent(
    """
    import msgspec, os, signal, sys
    from pathlib import Path
    from gyroscope.predictions.tables import commits
    from gyroscope.predictions.recording import drain
    from gyroscope.predictions.ids import index as ids
    from gyroscope.predictions.recording import recorder
    from gyroscope.records import Version

    home, runtime, step, version = sys.argv[1:]
    version = msgspec.json.decode(version, type=Version)
    zone = "America/New_York"

    def die(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    def around(owner, name, when):
        real = getattr(owner, name)
        def replaced(*args):
            if when == "before": die()
            real(*args)
            die()
        setattr(owner, name, replaced)

    owner, name, when = step.split()
    around({"Commits": commits.Commits, "IdIndex": ids.IdIndex, "Drain": drain.Drain}[owner], name, when)
    made = recorder.Recorder(Path(home), Path(runtime), lambda *_: version, lambda _: zone, commit_every_s=0)
    while made.run_once():
        pass
    """
)
STEPS = [
    "Commits append before",
    "Commits append after",
    "IdIndex take_in_entries before",
    "IdIndex take_in_entries after",
    "Commits amend before",
    "Commits amend after",
    "Drain _delete before",
]


def test_many_days_are_appended_a_few_at_a_time(house: House, entry: Entry) -> None:
    house.write(*[entry(number, at=number * DAY_US // 2) for number in range(500)], entry(500, rows=2, at=0))
    assert house.record() == 502
    assert [row[0] for row in house.rows("request_id", "row = 0")] == [f"r-{number:06d}" for number in range(501)]
    history = DeltaTable(str(table_path(house.home, "flights"))).history()
    assert max(commit["operationMetrics"]["num_partitions"] for commit in history) <= 102
    assert [commit[OFFSETS] == "{}" for commit in history] == [False, True, True]


@pytest.mark.parametrize("step", ["Commits sync before", "Commits sync after"])
def test_a_kill_between_the_days_of_a_batch_doubles_nothing(house: House, entry: Entry, step: str) -> None:
    house.write(*[entry(number, at=number * DAY_US, rows=1 + number % 2) for number in range(250)])
    version = msgspec.json.encode(house.versions["0a1b2c3d4e5f"]).decode()
    command = [sys.executable, "-c", KILLED_RECORDER, str(house.home), str(house.runtime), step, version]
    assert subprocess.run(command, capture_output=True, timeout=60).returncode == -9
    assert 0 < len(house.rows()) < 375
    house.record()
    assert house.rows("request_id, row, attempt, answered, id_conflict") == [
        (f"r-{number:06d}", row, 1, True, False) for number in range(250) for row in range(1 + number % 2)
    ]
    assert house.segments() == []


@pytest.mark.parametrize("step", STEPS)
def test_a_killed_recorder_neither_loses_nor_doubles(house: House, entry: Entry, step: str) -> None:
    first = house.log(0)
    for number in range(30):
        first.append(entry(number, arrival=1_000 + number))
    house.record()
    second = house.log(1)
    for number in range(20, 60):
        second.append(entry(number, arrival=2_000 + number))
    first.append(entry(60, arrival=3_000))
    second.close()
    version = msgspec.json.encode(house.versions["0a1b2c3d4e5f"]).decode()
    command = [sys.executable, "-c", KILLED_RECORDER, str(house.home), str(house.runtime), step, version]
    assert subprocess.run(command, capture_output=True, timeout=60).returncode == -9
    first.append(entry(61, arrival=4_000))
    house.record()
    rows = house.rows()
    assert len(rows) == 30 + 40 + 2
    assert sorted(row[0] for row in rows if row[2]) == [f"r-{number:06d}" for number in range(62)]
    assert [row[:2] for row in rows if not row[2]] == [(f"r-{number:06d}", 1) for number in range(20, 30)]
    first.close()
    house.record()
    assert house.segments() == []
    index = IdIndex(ids_path(house.home, "flights"))
    assert (index.owed(), index.damage()) == ([], [])
