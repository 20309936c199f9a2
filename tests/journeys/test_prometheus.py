"""A real Prometheus scrapes /metrics through the door; what it knows is what was sent, and no counter ever falls."""

from __future__ import annotations

import os
import signal
import subprocess
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from tests.conftest import need
from tests.journeys.conftest import Running, free_port, some
from tests.journeys.own import call, until
from tests.journeys.settling import settle

from gyroscope.demo.flights import Flights

pytestmark = [pytest.mark.journey, pytest.mark.peer]

FIRST, SECOND = 1_500, 3_000
SECONDS = "gyroscope_request_duration_seconds"
COUNTERS = (
    *(f"gyroscope_{name}_total" for name in ("requests", "rows", "logged", "unlogged", "rejected")),
    *(f"gyroscope_{name}_total" for name in ("model_calls", "model_requests", "busy_seconds")),
    *(f"{SECONDS}_{part}" for part in ("count", "sum", "bucket")),
)
COUNTED = 'sum(gyroscope_requests_total{job="gyroscope",code="2xx"})'


class Prometheus:
    """A server of our own, with a key and beside it a stranger's job with a wrong one."""

    def __init__(self, folder: Path, target: int, key: str) -> None:
        self.port = free_port()
        (folder / "key").write_text(key)
        (folder / "wrong").write_text("wrong")
        jobs = [
            {
                "job_name": name,
                "authorization": {"credentials_file": str(folder / file)},
                "static_configs": [{"targets": [f"127.0.0.1:{target}"]}],
            }
            for name, file in (("gyroscope", "key"), ("stranger", "wrong"))
        ]
        plan = {"global": {"scrape_interval": "500ms", "scrape_timeout": "500ms"}, "scrape_configs": jobs}
        (folder / "prometheus.yml").write_text(yaml.safe_dump(plan))
        words = [need("prometheus"), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
        with (folder / "log").open("wb") as log:
            address = f"--web.listen-address=127.0.0.1:{self.port}"
            self.process = subprocess.Popen([*words, address], stdout=log, stderr=log)

    def ask(self, query: str) -> list[dict[str, Any]]:
        """The instant vector of a query; empty while Prometheus starts."""
        try:
            answer = call(self.port, "GET", f"/api/v1/query?query={urllib.parse.quote(query)}")
        except OSError:
            return []
        return answer.said["data"]["result"] if answer.status == 200 else []

    def number(self, query: str) -> float | None:
        found = self.ask(query)
        return float(found[0]["value"][1]) if found else None


@pytest.fixture
def prometheus(running: Running, tmp_path: Path) -> Iterator[Prometheus]:
    folder = tmp_path / "prometheus"
    folder.mkdir()
    server = Prometheus(folder, running.port, running.key)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.wait()


def metrics_of(running: Running) -> str:
    answer = call(running.port, "GET", "/metrics", headers={"Authorization": f"Bearer {running.key}"})
    assert answer.status == 200
    return answer.text


def test_prometheus_counts_what_was_sent_and_nothing_falls(
    running: Running, prometheus: Prometheus, flights: Flights
) -> None:
    every = some(flights, FIRST + SECOND)
    is_first = np.arange(len(every)) < FIRST
    first, second = every.where(is_first), every.where(~is_first)
    until(lambda: prometheus.number('up{job="gyroscope"}') == 1, "the scrape with the key works")
    until(lambda: prometheus.number('up{job="stranger"}') == 0, "the scrape with a wrong key does not")
    running.replay(first)
    until(lambda: prometheus.number(COUNTED) == FIRST, f"Prometheus counts {FIRST}")
    assert prometheus.number('sum(gyroscope_rows_total{job="gyroscope"})') == FIRST
    assert prometheus.number('sum(gyroscope_logged_total{job="gyroscope"})') == FIRST
    assert prometheus.number(f'sum({SECONDS}_count{{job="gyroscope"}})') == FIRST

    assert FIRST >= (prometheus.number('sum(gyroscope_model_calls_total{job="gyroscope"})') or 0) > 0
    assert (prometheus.number('min(gyroscope_inflight_limit{job="gyroscope"})') or 0) >= 1
    assert prometheus.number('sum(gyroscope_requests_waiting{job="gyroscope"})') is not None
    assert (prometheus.number('sum(gyroscope_batch_requests_count{job="gyroscope"})') or 0) > 0
    assert (prometheus.number('min(gyroscope_queue_room{job="gyroscope"})') or 0) >= 2

    victim = running.pid("replica")
    replayed = running.replay(second, act=lambda: os.kill(victim, signal.SIGKILL))
    assert running.pid("replica") != victim
    labelled = int((every.late >= 0).sum())
    settled = settle(running.house, running.version, sent=len(every), labels=labelled)
    attempts = sum(file.rows for file in running.house.table("flights").files())
    # A request whose replica died after counting it was counted again by the next: never less than what was sent.
    until(lambda: (prometheus.number(COUNTED) or 0) >= len(every), f"Prometheus counts {len(every)}")
    counted = prometheus.number(COUNTED)
    answered = replayed.progress.answered
    print(f"sent {len(every)}, counted {counted:.0f}, attempts recorded {attempts}; answered at the kill: {answered}")
    assert len(every) <= (counted or 0) <= attempts
    assert settled.answered_rows == len(every)
    for name in COUNTERS:
        falls = prometheus.ask(f'resets({name}{{job="gyroscope"}}[5m])')
        assert len(falls) >= 2, name
        assert [one for one in falls if float(one["value"][1])] == []
    until(lambda: prometheus.number('gyroscope_model_quality{metric="auc"}') is not None, "the quality is scraped")
    ready = 'gyroscope_replicas{job="gyroscope",state="ready"}'
    until(lambda: prometheus.number(ready) == 2, "both replicas are ready again")
    assert prometheus.number('gyroscope_replicas{job="gyroscope",state="wanted"}') == 2


def test_promtool_finds_nothing_in_the_live_text(running: Running, flights: Flights) -> None:
    tool = need("promtool", "prometheus")
    sent = some(flights, 900)
    running.replay(sent)
    settle(running.house, running.version, sent=len(sent), labels=int((sent.late >= 0).sum()))
    text = metrics_of(running)
    assert "gyroscope_model_quality{" in text
    assert "gyroscope_drift_score{" in text
    checked = subprocess.run([tool, "check", "metrics"], input=text, capture_output=True, text=True)
    assert checked.stdout + checked.stderr == ""
    assert checked.returncode == 0
    print(f"{len(text.splitlines())} lines of metrics, nothing found")
