"""A joiner killed again and again, its client sending everything again: the states are those of an undisturbed one."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

from gyroscope.clock import EventTime
from gyroscope.predictions.ids.index import IdIndex, ids_path
from gyroscope.predictions.labels.labels import Labels
from gyroscope.predictions.recording.attempts import Attempt
from gyroscope.records import Label, Signature

JOINER = """
import sys, random
from pathlib import Path
from gyroscope.clock import EventTime
from gyroscope.predictions.labels import labels as room
from tests.predictions.labels.test_labels_killed import batches
from gyroscope.records import Signature
room.A_TRANSACTION = 500
made = room.Labels(Path(sys.argv[1]), lambda _: Signature("binary", ()))
print("up", flush=True)
for batch in batches():
    made.add("m", batch, EventTime(1))
    made.settle("m", EventTime(1))
print("done", flush=True)
"""


def batches() -> list[list[Label]]:
    """30,000 labels: most alone, some doubled, corrected, of nobody, or wrong."""
    rng = random.Random(7)
    every = [Label(f"r{n}", float(n % 2), version=1) for n in range(26_000)]
    every += rng.choices(every, k=2_000) + [Label(f"r{n}", 1.0, version=2) for n in range(1_000)]
    every += [Label(f"nobody{n}", 1.0, version=1) for n in range(500)] + [Label(f"r{n}", 7.0) for n in range(500)]
    rng.shuffle(every)
    return [every[start : start + 3_000] for start in range(0, len(every), 3_000)]


def test_killed_joiners_count_nothing_twice(tmp_path: Path) -> None:
    for home in (tmp_path / "killed", tmp_path / "calm"):
        index = IdIndex(ids_path(home, "m"))
        index.take_in(("t", 0), [Attempt(f"r{n}", 1, "2013-03-01", 7, n, 1) for n in range(26_000)], [])
        index.close()
    rng, ended, kills = random.Random(11), b"", 0
    while b"done" not in ended:
        joiner = subprocess.Popen(
            [sys.executable, "-c", JOINER, tmp_path / "killed"], stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]
        )
        assert joiner.stdout is not None
        assert joiner.stdout.readline() == b"up\n"
        try:
            ended = joiner.communicate(timeout=rng.uniform(0.02, 0.4) if kills < 8 else 120)[0]
            assert joiner.returncode == 0
        except subprocess.TimeoutExpired:
            joiner.send_signal(signal.SIGKILL)
            joiner.communicate()
            kills += 1
    calm = Labels(tmp_path / "calm", lambda _: Signature("binary", ()))
    for batch in batches():
        calm.add("m", batch, EventTime(1))
    killed = Labels(tmp_path / "killed", lambda _: Signature("binary", ()))
    expected, found = calm.counts("m"), killed.counts("m")
    assert kills >= 1
    for state in ("joined", "pending", "quarantined", "superseded"):
        assert found[state] == expected[state], state
    assert expected["joined"] == 26_000
    for made in (killed, calm):
        ids, rows, values = made.of_day("m", "2013-03-01")
        order = ids.argsort()
        joined = list(zip(ids[order].tolist(), rows[order].tolist(), values[order].tolist(), strict=True))
        assert len(joined) == 26_000
        assert {one[0]: one[2] for one in joined} == {
            f"r{n}": 1.0 if n < 1_000 else float(n % 2) for n in range(26_000)
        }
