"""Copies on their way from a champion to a shadow: how many may wait, and what a shadow that is gone costs."""

from __future__ import annotations

import asyncio
import errno
import json
import socket

import msgspec
import pytest

from gyroscope.clock import EventTime
from gyroscope.serving.copies import Copies, Mirror, Target, copy_of
from gyroscope.serving.line import Line
from gyroscope.supervisor.pulse import Pulse

BODY = json.dumps({"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP64", "data": [1, 2, 3]}]}).encode()
WAITING = 100


@pytest.fixture
def champion(tmp_path):
    """A sender, its counters, and the file that says whom it sends to."""
    made = []

    def make(name: str = "champion", share: float = 1.0):
        file = tmp_path / f"{name}.mirror"
        file.write_bytes(msgspec.json.encode(Target(str(tmp_path / "copies"), share)))
        pulse = Pulse.create(tmp_path / f"{name}.pulse")
        made.append(Mirror(file, pulse))
        made[-1].look()
        return made[-1], pulse

    yield make
    for mirror in made:
        mirror.close()


@pytest.fixture
def shadow(tmp_path, bench):
    """What takes the copies, and the bench of its plane."""
    served = bench()

    def make():
        return Copies(tmp_path / "copies", [served.dialect], Line(served.plane)), served

    return make


def copy(name: str, body: bytes = BODY):
    return copy_of("/v2/models/flights/infer", {b"x-request-id": name.encode()}, name, EventTime(0), body)


def run(copies: Copies, is_over) -> None:
    async def take() -> None:
        copies.open()
        while not is_over():
            await asyncio.sleep(0.005)
        copies.close()

    asyncio.run(asyncio.wait_for(take(), 20))


def test_what_comes_in_a_burst_waits_for_a_shadow_that_is_behind(champion, shadow):
    copies, served = shadow()
    (first, told), (second, _) = champion("a"), champion("b")
    for at in range(WAITING):
        (first if at % 2 else second).send(copy(str(at)))
    assert (told.counters()["copied"], told.counters()["copies_lost"]) == (WAITING // 2, 0)
    run(copies, lambda: served.pulse.counters()["requests_2xx"] == WAITING)
    written = [int(entry.request_id) for entry in served.written()]
    assert sorted(written) == list(range(WAITING))
    assert written[:4] in ([1, 0, 3, 2], [0, 1, 2, 3]), "senders are served in turn"
    assert {entry.variant for entry in served.written()} == {"shadow"}


def test_a_shadow_that_is_gone_costs_lost_copies_and_comes_back(champion, shadow):
    mirror, told = champion()
    mirror.send(copy("nobody is there"))
    assert mirror.is_on
    assert told.counters()["copies_lost"] == 1
    copies, _ = shadow()
    mirror.look()
    mirror.send(copy("first"))
    run(copies, lambda: told.counters()["copied"] == 1)
    mirror.send(copy("it has gone"))
    again, served = shadow()
    mirror.look()
    mirror.send(copy("second"))
    run(again, lambda: served.pulse.counters()["requests_2xx"] > 0)
    assert [entry.request_id for entry in served.written()][-1] == "second"
    assert told.counters()["copies_lost"] == 2


def test_a_shadow_that_is_full_costs_lost_copies_and_no_waiting(champion, shadow):
    copies, _ = shadow()
    mirror, told = champion()
    large = copy("large", bytes(60_000))
    while not told.counters()["copies_lost"]:
        mirror.send(large)
    full = told.counters()["copied"]
    assert full > 0
    mirror.look()
    mirror.send(copy("huge", bytes(64 * 1024 * 1024)))
    assert told.counters()["copied"] == full
    copies._listener.close()


def test_what_is_no_copy_of_a_request_is_passed_over(champion, shadow, tmp_path):
    copies, served = shadow()
    stranger = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    stranger.connect(str(tmp_path / "copies"))
    stranger.send(b"no copy")
    stranger.send(msgspec.msgpack.encode(copy_of("/elsewhere", {}, "r", EventTime(0), BODY)))
    strange = {b"inference-header-content-length": b"no number"}
    stranger.send(msgspec.msgpack.encode(copy_of("/v2/models/flights/infer", strange, "r", EventTime(0), BODY)))
    mirror, _ = champion(share=0.5)
    for at in range(4):
        mirror.send(copy(str(at)))
    run(copies, lambda: served.pulse.counters()["requests_2xx"] == 2)
    assert [entry.request_id for entry in served.written()] == ["1", "3"]
    stranger.close()


def test_who_comes_while_no_file_descriptor_is_left_waits_a_little(champion, shadow, monkeypatch):
    copies, served = shadow()
    mirror, _ = champion()
    mirror.send(copy("r"))
    tries = []

    class Full:
        """The listener of a process that has as many files open as it may."""

        def __init__(self, real):
            self.fileno, self.close = real.fileno, real.close
            self._accept = real.accept

        def accept(self):
            tries.append("accept")
            if len(tries) == 1:
                raise OSError(errno.EMFILE, "too many open files")
            return self._accept()

    copies._listener = Full(copies._listener)
    monkeypatch.setattr("gyroscope.serving.copies._ACCEPT_AGAIN_S", 0.05)
    run(copies, lambda: served.pulse.counters()["requests_2xx"] == 1)
    assert len(tries) == 2, "not as often as the loop turns"


def test_who_is_not_to_send_any_more_sends_nothing(champion, shadow, tmp_path):
    copies, _ = shadow()
    mirror, told = champion()
    (tmp_path / "champion.mirror").unlink()
    mirror.look()
    mirror.send(copy("r"))
    assert not mirror.is_on
    assert (told.counters()["copied"], told.counters()["copies_lost"]) == (0, 0)
    copies._listener.close()
