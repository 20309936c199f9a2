"""The load rises and replicas come, it falls and they go; control dies in between, and nothing changes for clients."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest
from tests.journeys.own import MODEL, Own, started, until

from gyroscope.scaling import recompute

pytestmark = [pytest.mark.journey, pytest.mark.quiet]

SIGNATURE = "task: regression\nfeatures:\n  - {name: x, dtype: float64}\n"
CODE = """\
import time

class Model:
    def predict(self, matrix, columns):
        time.sleep(0.02)
        return matrix[:, 0]
"""
POLICY = {"replicas": {"min": 1, "max": 3}, "batch_calls": 1, "shrink_after_s": 2, "slo": {"p99_ms": 150}}


class Crowd:
    """Clients that each send their next request when they have the answer to the last."""

    def __init__(self, own: Own, clients: int) -> None:
        self._own, self._gone = own, threading.Event()
        self.answered: list[int] = []
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def leave(self) -> None:
        self._gone.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        while not self._gone.is_set():
            self.answered.append(self._own.ask(1.0).status)


def states(own: Own) -> list[str]:
    return [one["state"] for one in own.replicas()]


def test_replicas_follow_the_load_and_control_may_die(tmp_path: Path):
    with started(tmp_path, SIGNATURE, CODE, replicas=1, models={MODEL: POLICY}) as own:
        crowd = Crowd(own, 8)
        try:
            until(lambda: states(own) == ["ready"] * 3, "two more replicas")
            victim = own.process("control")
            os.kill(victim, signal.SIGKILL)
            until(lambda: own.process("control") not in (0, victim), "another control")
            answered = len(crowd.answered)
            until(lambda: len(crowd.answered) > answered + 50, "answers without control")
            assert len(own.replicas()) == 3, "a size outlives whoever chose it"
        finally:
            crowd.leave()
        assert set(crowd.answered) == {200}
        until(lambda: states(own) == ["ready"], "one replica, when nobody asks")
        acts = own.house.journal.newest("scaling", MODEL)
        assert {"metrics_missing_hold", "demand_below_capacity"} <= {act.reason for act in acts}
        blind = next(act for act in acts if act.reason == "metrics_missing_hold")
        assert blind.action == "3", "what it cannot see it does not take for less"
        assert all(recompute(act.inputs).action == act.action for act in acts)
        told = own.get(f"/v1/scale/{MODEL}").said
        assert (told["desired_replicas"], told["mode"]) == (1, "act")
        assert f'gyroscope_desired_replicas{{model="{MODEL}"}} 1' in own.get("/metrics").text
