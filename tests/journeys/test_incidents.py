"""Days of predictions through a real house: nothing on clean days, then one incident per cause, control killed twice.

A column breaks for two days and is mended; a week later what the model says stops being right.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from benchmarks.loop.receiver import Receiver, receiving
from tests.journeys.own import MODEL, Own, started, until

import gyroscope
from gyroscope.clock import DAY_US, SECOND_US, EventTime, iso, parse_event_time

pytestmark = pytest.mark.journey

SIGNATURE = """\
task: binary
features:
  - {name: age, dtype: float64}
  - {name: plan, dtype: string, categories: [basic, plus]}
"""
CODE = """\
class Model:
    def predict(self, matrix):
        return matrix[:, 0] * 0
"""
MONITORING = {"every_s": 0.2, "reference": {"first_days": 20}}
FIRST = parse_event_time("2026-03-01")
ROWS, LEARNED = 200, 20
BROKEN, WORSE, LAST = range(30, 32), 40, 48
BOTH = ["performance opened", "quality opened", "quality resolved"]
RULES = {"holes": {"signal": "missing_share", "threshold": 0.5, "severity": "inform"}}


def send(own: Own, day: int) -> None:
    """One day of answers, and what became of each."""
    rng = np.random.default_rng(day)
    score = rng.beta(2, 3, ROWS)
    chance = score if day < WORSE else 1 - score
    ids = [f"d{day}-{row}" for row in range(ROWS)]
    times = (FIRST + day * DAY_US + np.sort(rng.integers(0, 86_000, ROWS)) * SECOND_US).astype(np.int64)
    ages = rng.normal(40, 9, ROWS) if day not in BROKEN else np.full(ROWS, np.nan)
    inputs = {"age": ages, "plan": np.where(rng.random(ROWS) < 0.3, "plus", "basic").astype(object)}
    home = own.place.settings
    moments = [iso(EventTime(int(at))) for at in times]
    gyroscope.log(MODEL, inputs, score, request_ids=ids, event_times=moments, home=home)
    labels = [
        {"request_id": one, "value": float(rng.random() < p)} for one, p in zip(ids, chance.tolist(), strict=True)
    ]
    answer = own.post("/v1/labels", json.dumps({"model": MODEL, "labels": labels}).encode())
    assert answer.status == 200, answer.text


def judged(own: Own, family: str, day: int) -> bool:
    newest = own.house.signals.newest("evidence", {"model": MODEL, "family": family})
    return bool(newest) and newest[0].at >= FIRST + day * DAY_US


def pages(own: Own) -> list[tuple[str, tuple[str, ...], str]]:
    found = sorted((one for one in own.house.incidents.all(MODEL) if one.pages), key=lambda one: one.opened)
    return [(one.kind, one.subjects, one.state) for one in found]


def test_each_cause_is_one_incident_whatever_happens_to_control(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("whsec_" + "QUJD" * 8)
    with receiving() as receiver:
        webhook = {"kind": "webhook", "url": receiver.url, "secret_file": str(tmp_path / "secret")}
        told = {"notifiers": {"team": webhook}, "rules": RULES}
        with started(tmp_path, SIGNATURE, CODE, replicas=1, monitoring=MONITORING, **told) as own:
            _lived_through(own)
            # A history that is played may be over before it is judged: then nobody is told of it.
            until(lambda: _said(receiver) in (["performance opened"], BOTH), "what stands was told of, once")
            (broken,) = (one for one in own.house.incidents.all(MODEL) if one.kind == "quality")
            assert [child.kind for child in broken.children].count("rule") == 1, "the rule stands apart"


def _said(receiver: Receiver) -> list[str]:
    """Kind of incident and what happened, whatever came twice once."""
    bodies = [json.loads(body) for body in {one.headers["webhook-id"]: one.body for one in receiver.requests}.values()]
    return sorted(f"{one['data']['kind']} {one['data']['happened']}" for one in bodies)


def _lived_through(own: Own) -> None:
    """Days go by; a column breaks and is mended, then the model errs; control is killed twice."""
    for day in range(BROKEN[0]):
        send(own, day)
    until(lambda: judged(own, "performance", BROKEN[0] - 2), "clean days judged")
    assert own.house.incidents.all(MODEL) == [], "clean days opened an incident"
    for day in range(BROKEN[0], LAST):
        send(own, day)
        if day in (BROKEN[0] + 1, WORSE + 2):
            os.kill(own.process("control"), signal.SIGKILL)
            until(lambda: own.get("/healthz").status == 200, "control is back")
    until(lambda: judged(own, "performance", LAST - 2), "all days judged")
    until(lambda: len(pages(own)) == 2, "both incidents")
    (broken, worse) = pages(own)
    assert broken == ("quality", ("age",), "closed")
    assert worse == ("performance", ("brier",), "open")
    found = {one.kind: one for one in own.house.incidents.all(MODEL)}
    assert found["quality"].since == FIRST + BROKEN[0] * DAY_US
    assert abs(found["performance"].since - (FIRST + WORSE * DAY_US)) <= DAY_US
    for incident in found.values():
        states = [line.state for line in own.house.incidents.journal(incident.id)]
        assert states.count("open") == 1, f"{incident.id} was opened {states.count('open')} times"
    shown = own.get(f"/v1/incidents?model={MODEL}").said["incidents"]
    assert {one["kind"] for one in shown} >= {"quality", "performance"}
    listed = subprocess.run(
        [str(Path(sys.executable).with_name("gyro")), "incidents", "list", "--settings", str(own.place.settings)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (listed.returncode, "performance fell: brier" in listed.stdout) == (1, True)
