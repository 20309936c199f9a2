"""Processes killed in the middle of a replay: every request answered, one answered row each, labels balance.

The client does not retry; only where the door itself dies it may, with the same id.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import lightgbm
import numpy as np
import pytest
from tests.journeys.conftest import Running, some
from tests.journeys.settling import settle

from gyroscope.demo.flights import Flights
from gyroscope.demo.replay import Replayed
from gyroscope.demo.train import Trained, encode

pytestmark = [pytest.mark.journey, pytest.mark.quiet]

N = 6_000


def kill(running: Running, name: str, number: int = signal.SIGKILL) -> Callable[[], None]:
    def act() -> None:
        os.kill(running.pid(name), number)

    return act


def check(running: Running, sent: Flights, replayed: Replayed, trained: Trained) -> None:
    """The promises, from the client's own ledger and from the table."""
    assert replayed.failures == () or replayed.progress.retried
    assert set(replayed.status.tolist()) == {200}
    assert replayed.versions == (running.version.version,)
    labelled = int(np.count_nonzero(sent.late >= 0))
    settled = settle(running.house, running.version, sent=len(sent), labels=labelled)
    assert settled.answered_rows == len(sent)
    assert settled.answered_ids == len(sent)
    assert settled.labels["joined"] == labelled
    assert settled.received == sum(settled.labels.values())
    offline = lightgbm.Booster(model_file=str(trained.artifact)).predict(encode(sent.columns, trained.signature))
    assert np.array_equal(replayed.output, np.asarray(offline)), "an answer differs from the offline answer"


def test_undisturbed(running: Running, flights: Flights, trained: Trained) -> None:
    sent = some(flights, 2_000)
    check(running, sent, running.replay(sent), trained)


@pytest.mark.parametrize("victim", ["replica", "recorder", "control"])
def test_killed_and_nobody_notices(running: Running, flights: Flights, trained: Trained, victim: str) -> None:
    sent = some(flights, N)
    before = running.pid(victim)
    replayed = running.replay(sent, act=kill(running, victim))
    check(running, sent, replayed, trained)
    assert running.pid(victim) != before


def test_supervisor_killed_and_a_new_one_adopts(running: Running, flights: Flights, trained: Trained) -> None:
    from gyroscope.assembly import up

    sent = some(flights, N)
    before = {name: running.pid(name) for name in ("replica", "recorder", "control", "supervisor")}
    replayed = running.replay(sent, act=kill(running, "supervisor"))
    up(running.place.settings)
    after = {name: running.pid(name) for name in before}
    assert after.pop("supervisor") != before.pop("supervisor")
    assert after == before, "a twin was started or a process was lost"
    check(running, sent, replayed, trained)


def test_door_killed_the_client_sends_again_with_the_same_id(
    running: Running, flights: Flights, trained: Trained
) -> None:
    sent = some(flights, N)
    replayed = running.replay(sent, retries=8, act=kill(running, "door"))
    assert replayed.progress.retried > 0
    outage_s = float(np.nanmax(replayed.latency_s))
    print(f"door killed: longest request, retries included, {outage_s * 1e3:.0f} ms")
    check(running, sent, replayed, trained)


def test_frozen_replica_is_out_and_no_request_fails(running: Running, flights: Flights, trained: Trained) -> None:
    frozen_at = 0.0
    pid = running.pid("replica")

    def freeze() -> None:
        nonlocal frozen_at
        os.kill(pid, signal.SIGSTOP)
        frozen_at = time.monotonic()

    sent = some(flights, N)
    replayed = running.replay(sent, act=freeze)
    check(running, sent, replayed, trained)
    assert running.pid("replica") != pid
    print(f"replica frozen: longest request {np.nanmax(replayed.latency_s):.3f} s")
