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
from gyroscope.alerts.notifiers.alertmanager import AlertmanagerNotifier
from gyroscope.alerts.notifiers.webhook import WebhookNotifier
from gyroscope.clock import wall_now

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


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[str]:
    binary = need("prometheus-alertmanager")
    (tmp_path / "am.yml").write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    url = f"http://127.0.0.1:{free_port()}"
    flags = [
        f"--config.file={tmp_path / 'am.yml'}",
        f"--storage.path={tmp_path / 'data'}",
        f"--web.listen-address={url.removeprefix('http://')}",
        "--cluster.listen-address=",
    ]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([binary, *flags], stdout=log, stderr=log)
    try:
        assert wait_for(lambda: answers(f"{url}/-/ready"), 60.0) < 60, (tmp_path / "log").read_text()[-2_000:]
        yield url
    finally:
        process.kill()
        process.wait()


def test_a_real_alertmanager_has_the_alert_while_the_incident_stands(alertmanager: str) -> None:
    notifier = AlertmanagerNotifier(alertmanager, 5.0)
    opened = msgspec.structs.replace(notice(), at=wall_now())
    for _ in range(2):
        assert notifier.send(opened, wall_now()).is_delivered
    (alert,) = _alerts(alertmanager)
    assert alert["labels"] == {"alertname": "GyroscopeIncident", "incident": "m-1", "model": "m", "severity": "page"}
    assert alert["annotations"]["description"] == "all of age is missing"
    deeper = msgspec.structs.replace(opened, happened="resolved", kind="performance", version="w", at=wall_now())
    assert notifier.send(deeper, wall_now()).is_delivered
    assert wait_for(lambda: not _alerts(alertmanager), 30.0) < 30


def _alerts(url: str) -> list[dict[str, dict[str, str]]]:
    with urllib.request.urlopen(f"{url}/api/v2/alerts", timeout=10) as answer:
        found: list[dict[str, dict[str, str]]] = json.load(answer)
    return found
