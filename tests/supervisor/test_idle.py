"""Models that nobody asks give their memory back; who asks next is answered, and the door's own checks wake nobody."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from tests.supervisor.rig import Rig, running, until

from gyroscope.clock import MachineTime
from gyroscope.supervisor.idle import Bell, Idle
from gyroscope.supervisor.pulse import Pulse
from gyroscope.supervisor.wanted import Split

QUIET_S = 0.5


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with running(tmp_path) as rig:
        yield rig


def test_a_knock_is_no_ring_and_words_are(tmp_path: Path) -> None:
    bell = Bell(tmp_path / "a.bell")
    with socket.socket(socket.AF_UNIX) as knocks:
        knocks.connect(str(bell.path))
        assert not bell.rings()
    assert not bell.rings()
    with socket.socket(socket.AF_UNIX) as speaks:
        speaks.connect(str(bell.path))
        speaks.sendall(b"POST /")
        assert bell.rings()
        assert len(bell.descriptors()) == 2
        bell.close()
        with pytest.raises(ConnectionResetError):  # who rang is hung up on
            speaks.recv(1)
    assert not bell.path.exists()


def test_nobody_sleeps_who_need_not(rig: Rig) -> None:
    idle, wanted = Idle(), {spec.name: spec for spec in rig.specs}
    for now in (0, 10**18):
        assert idle.keep(wanted, {}, MachineTime(now)) == (wanted, [])
    assert idle.servers == idle.descriptors() == []


def test_a_model_sleeps_and_whoever_asks_is_answered(rig: Rig) -> None:
    assert [rig.request()[0] for _ in range(4)] == [200] * 4
    rig.change(idle_after_s=QUIET_S)
    until(lambda: "asleep" in rig.events())
    until(lambda: not any(rig.pid(spec.name) for spec in rig.specs))
    time.sleep(2.5)  # the door looks at its servers every second
    assert "woken" not in rig.events()
    assert not any(rig.pid(spec.name) for spec in rig.specs)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: rig.request(b"x" * 1_000 * (n + 1), X_Request_Id=f"r{n}"), range(8)))
    assert [status for status, _, _ in answers] == [200] * 8
    assert [len(body) for _, _, body in answers] == [1_000 * (n + 1) for n in range(8)]
    assert rig.events().count("woken") == 1
    until(lambda: rig.events().count("asleep") == 2)
    assert rig.request()[0] == 200
    pulses = [Pulse.open(spec.pulse) for spec in rig.specs]
    assert sum(pulse.counters()["requests_2xx"] for pulse in pulses) == 13, "counters sleep, and do not fall"


def test_a_model_with_somebody_aside_is_awake(rig: Rig) -> None:
    """A challenger that slept would be taken for one that does not start."""
    rig.change(idle_after_s=QUIET_S)
    until(lambda: "asleep" in rig.events())
    until(lambda: not any(rig.pid(spec.name) for spec in rig.specs))
    rig.split = Split(aside=(rig.specs[-1].name,))
    rig.write()
    until(lambda: all(rig.pid(spec.name) for spec in rig.specs))
    time.sleep(4 * QUIET_S)
    assert rig.events().count("asleep") == 1


def test_who_rings_waits_for_one_that_answers_and_not_for_a_shadow(rig: Rig) -> None:
    rig.change(idle_after_s=QUIET_S)
    until(lambda: "asleep" in rig.events())
    until(lambda: not any(rig.pid(spec.name) for spec in rig.specs))
    slow, aside = rig.specs
    slow = replace(slow, argv=("/bin/sh", "-c", 'sleep 2; exec "$0" "$@"', *slow.argv))
    rig.specs, rig.split = [slow, aside], Split(aside=(aside.name,))
    rig.write()
    until(lambda: rig.is_ready(aside.name))
    assert not rig.is_ready(slow.name)
    assert rig.request()[0] == 200


def test_it_stops_asleep_and_leaves_nothing(rig: Rig) -> None:
    rig.change(idle_after_s=QUIET_S)
    until(lambda: "asleep" in rig.events())
    rig.close()
    assert not rig.runtime.exists()
    assert rig.processes() == []
