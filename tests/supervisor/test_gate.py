"""How much may wait at the door while replicas come and go."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from gyroscope.clock import MachineTime
from gyroscope.supervisor.door import Room
from gyroscope.supervisor.gate import Gate
from gyroscope.supervisor.processes import Child
from gyroscope.supervisor.state import PostState, RunDir
from gyroscope.supervisor.wanted import ProcessSpec
from gyroscope.supervisor.watch import Watch

NOW = MachineTime(1)
HOLDER = cast(Child, SimpleNamespace(pid=1))


class Replica(Watch):
    """One that admits two at once while ten wait."""

    def admits(self) -> tuple[int, int]:
        return 2, 10


def replica(*states: PostState) -> Watch:
    """One that went through these states."""
    watch = Replica(ProcessSpec("r", ("true",), kind="replica", model="m", socket="/run/r.sock"))
    watch.child = HOLDER
    for state in states:
        watch.turn(state, NOW)
    return watch


@pytest.mark.parametrize(
    ("other", "waiting"),
    [
        (("ready",), 20),
        (("ready", "waiting"), 20),
        (("ready", "waiting", "starting"), 20),
        (("waiting", "starting"), 10),
    ],
    ids=["there", "killed just now", "coming back", "starting for the first time"],
)
def test_room_is_made_for_who_comes_back_and_not_for_who_never_was(
    tmp_path: Path, other: tuple[PostState, ...], waiting: int
) -> None:
    watches = {"a": replica("ready"), "b": replica(*other)}
    assert Gate(RunDir(tmp_path))._rooms(watches) == {"m": Room(waiting, waiting + waiting // 5)}
