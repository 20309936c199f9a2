"""When a post that nobody holds any more is filled again."""

from __future__ import annotations

import pytest

from gyroscope.clock import SECOND_NS, MachineTime
from gyroscope.supervisor.wanted import ProcessSpec
from gyroscope.supervisor.watch import Watch

S = SECOND_NS
REPLICA = ProcessSpec("r", ("true",), kind="replica", socket="/run/r.sock")
SHADOW = ProcessSpec("s", ("true",), kind="replica")


@pytest.mark.parametrize(
    ("spec", "waits_s"),
    [(REPLICA, [0.0, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]), (SHADOW, [10.0] * 9)],
    ids=["who is asked is started at once, then less and less often", "nobody waits for a shadow"],
)
def test_who_dies_again_and_again_is_started_less_often(spec: ProcessSpec, waits_s: list[float]) -> None:
    watch, found = Watch(spec), []
    for death in range(1, 10):
        now = MachineTime(death * 100 * S)
        watch.failed("status 1", now)
        found.append((watch.retry_ns - now) / S)
    assert found == waits_s
