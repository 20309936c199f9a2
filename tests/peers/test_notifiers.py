"""What we send, judged by those who are to receive it: the library of Standard Webhooks, and a real Alertmanager."""

from __future__ import annotations

import base64
import json
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from benchmarks.house import free_port, wait_for
from benchmarks.loop.receiver import receiving
from tests.alerts.told import notice
from tests.conftest import need
from tests.peers.conftest import answers

import peers
from gyroscope.alerts.delivery import Delivery
from gyroscope.alerts.notifiers.alertmanager import AlertmanagerNotifier
from gyroscope.alerts.notifiers.webhook import WebhookNotifier
from gyroscope.alerts.outbox import Outbox, post
from gyroscope.clock import SECOND_NS, SECOND_US, MachineTime, wall_now
from gyroscope.signals.store import Signals

pytestmark = pytest.mark.peer

SECRET, OTHER = ("whsec_" + base64.b64encode(text * 8).decode() for text in (b"mine", b"your"))


def test_the_library_of_standard_webhooks_takes_what_we_sign_and_nothing_else(
    peer_python: Callable[[str], Path],
) -> None:
    hostile = msgspec.structs.replace(notice(), why='Größe "x" </script> \x00 \U0001f40d')
    with receiving() as receiver:
        for one in (notice("m-1-1"), hostile):
            assert WebhookNotifier(receiver.url, lambda: SECRET, 5.0).send(one, wall_now()).is_delivered
        early = wall_now() - 600_000_000
        WebhookNotifier(receiver.url, lambda: SECRET, 5.0).send(notice("m-1-2"), early)
    fine, odd, late = receiver.requests
    other_id = {**fine.headers, "webhook-id": "m-1-9"}
    asked = [
        (SECRET, fine.headers, fine.body.decode()),
        (SECRET, odd.headers, odd.body.decode()),
        (OTHER, fine.headers, fine.body.decode()),
        (SECRET, fine.headers, fine.body.decode().replace("m-1", "m-2")),
        (SECRET, other_id, fine.body.decode()),
        (SECRET, late.headers, late.body.decode()),
    ]
    argv = [peer_python("standardwebhooks"), "-m", "peers.standardwebhooks.verify"]
    done = subprocess.run(
        argv, input=json.dumps(asked), cwd=peers.HERE.parent, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    wrong = "No matching signature found"
    assert json.loads(done.stdout.splitlines()[-1]) == ["", "", wrong, wrong, wrong, "Message timestamp too old"]


class Alertmanager:
    """A real one, that can be killed and started again at its address."""

    def __init__(self, folder: Path) -> None:
        (folder / "am.yml").write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
        self.url = f"http://127.0.0.1:{free_port()}"
        self._log = folder / "log"
        self._argv = [
            need("prometheus-alertmanager"),
            f"--config.file={folder / 'am.yml'}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address={self.url.removeprefix('http://')}",
            "--cluster.listen-address=",
        ]
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._argv, stdout=log, stderr=log)
        assert wait_for(lambda: answers(f"{self.url}/-/ready"), 60.0) < 60, self._log.read_text()[-2_000:]

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def alerts(self) -> list[dict[str, dict[str, str]]]:
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts", timeout=10) as answer:
            found: list[dict[str, dict[str, str]]] = json.load(answer)
        return found


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[Alertmanager]:
    started = Alertmanager(tmp_path)
    try:
        yield started
    finally:
        started.kill()


def test_a_real_alertmanager_has_the_alert_while_the_incident_stands(alertmanager: Alertmanager) -> None:
    notifier = AlertmanagerNotifier(alertmanager.url, 5.0)
    opened = msgspec.structs.replace(notice(), at=wall_now())
    for _ in range(2):
        assert notifier.send(opened, wall_now()).is_delivered
    (alert,) = alertmanager.alerts()
    assert alert["labels"] == {"alertname": "GyroscopeIncident", "incident": "m-1", "model": "m", "severity": "page"}
    assert alert["annotations"]["description"] == "all of age is missing"
    deeper = msgspec.structs.replace(opened, happened="resolved", kind="performance", version="w", at=wall_now())
    assert notifier.send(deeper, wall_now()).is_delivered
    assert wait_for(lambda: not alertmanager.alerts(), 30.0) < 30


def test_an_alertmanager_that_forgot_in_a_restart_is_told_again_of_what_stands(
    alertmanager: Alertmanager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = [0]
    monkeypatch.setattr("gyroscope.alerts.delivery.machine_now", lambda: MachineTime(later[0]))
    outbox, signals = Outbox(tmp_path / "state.db"), Signals(tmp_path / "state.db")
    with outbox._database.opened() as connection:
        post(connection, [msgspec.structs.replace(notice(), at=wall_now())], ["am"])
    delivery = Delivery("am", AlertmanagerNotifier(alertmanager.url, 5.0), outbox, signals, 3_600 * SECOND_US)
    assert delivery.run_once() == 1
    (before,) = alertmanager.alerts()
    alertmanager.kill()
    alertmanager.start()
    assert alertmanager.alerts() == []
    later[0] += 60 * SECOND_NS
    delivery.run_once()
    (after,) = alertmanager.alerts()
    assert (after["startsAt"], after["labels"]) == (before["startsAt"], before["labels"])
    signals.close()
