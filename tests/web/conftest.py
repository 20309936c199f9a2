"""The real application under a real server, on a home with one model whose names are hostile, and a real browser."""

from __future__ import annotations

import base64
import fcntl
import http.client
import json
import math
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvicorn
from tests.monitoring.parts import keep_segments

from gyroscope.alerts import Incidents
from gyroscope.alerts.outbox import Outbox
from gyroscope.clock import DAY_US, SECOND_US, EventTime, event_time_of, sleep
from gyroscope.models.routes import Routes
from gyroscope.models.store import Candidate, ModelStore
from gyroscope.monitoring import Monitor, Stores
from gyroscope.predictions.labels.labels import Labels
from gyroscope.predictions.tables.table import Table, table_path
from gyroscope.records import Cause, CauseKind, Feature, Judged, NotEnoughData, Route, Signal, Signature, Size
from gyroscope.settings import Monitoring, Settings
from gyroscope.settings_models import ModelMonitor, ModelPolicy
from gyroscope.signals.journal import Journal
from gyroscope.signals.store import Signals
from gyroscope.supervisor.pulse import Pulse
from gyroscope.supervisor.state import RunDir, append_event
from gyroscope.web.app import Parts, create_app
from gyroscope.web.keys import FirstKeys, Keys

MODEL = "flights"
HOSTILE = (
    "<script>document.title='owned'</script>",
    "\"><img src=x onerror=document.title='owned'>",
    "{{7*7}}</script><svg onload=document.title='owned'>",
    "javascript:document.title='owned'",
)
FEATURES = ("hour", "distance", "carrier", "origin", "dest", *HOSTILE)
START = event_time_of(datetime(2013, 3, 1, 5, tzinfo=UTC))
DAYS = 90


@dataclass
class Site:
    """A served home."""

    parts: Parts
    first: FirstKeys
    port: int
    model: str = MODEL
    features: tuple[str, ...] = FEATURES
    hostile: tuple[str, ...] = HOSTILE

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def cookie(self) -> str:
        return f"gyroscope_{self.parts.settings.door.port}"

    def ask(
        self, path: str, method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def ask_as_program(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask(path, method, body, {"Authorization": f"Bearer {self.first.api_key}", **more})

    def sign_in(self) -> dict[str, str]:
        """The headers of a person who opened a fresh link."""
        answer = self.ask(f"/login?code={self.parts.keys.new_login_code()}")
        assert answer.status == 200
        return {"Cookie": answer.headers["set-cookie"].partition(";")[0]}


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("home")
    parts = make_parts(home)
    first = parts.keys.create_first()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(parts), host="127.0.0.1", port=port, loop="asyncio", log_level="warning", access_log=False
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        sleep(0.01)
    yield Site(parts, first, port)
    server.should_exit = True
    thread.join()
    parts.signals.close()


def make_parts(home: Path) -> Parts:
    """Real stores with ninety days of made-up measurements."""
    runtime = str(home / "runtime")
    settings = Settings(home=str(home), runtime_dir=runtime, monitoring=Monitoring(timezone="America/New_York"))
    models = ModelStore(home)
    code = home / "model.py"
    code.write_text("class Model:\n    pass\n")
    signature = Signature("binary", tuple(Feature(name) for name in FEATURES))
    version = models.add(Candidate(MODEL, "python", signature, code, entry="model:Model"), EventTime(START))
    routes = Routes(home / "state.db")
    routes.set_route(Route(MODEL, version.version), reason="the first version", now=START)
    routes.set_size(Size(MODEL, 2), reason="from the settings", now=START)
    signals = Signals(home / "state.db")
    signals.put(measurements(version.version))
    run = home / "run"
    run.mkdir()
    append_event(RunDir(run), f"{MODEL}-{version.version}-0", "died", HOSTILE[0])
    pulses = home / "runtime" / "pulses"
    pulses.mkdir(parents=True)
    pulse = Pulse.create(pulses / f"{MODEL}-{version.version}-0.pulse")
    pulse.add("requests_2xx", 7)
    pulse.add("rows", 9)
    pulse.observe_latency(3_000_000)
    pulse.close()
    labels = Labels(home, lambda model: models.versions(model)[-1].signature)
    incidents = Incidents(home / "state.db", notifiers=("team",))
    incidents.take(MODEL, made_up_incidents(version.version))
    stores = Stores(models, lambda model: Table(table_path(home, model)), labels, signals, home / "monitoring.db")
    keep_segments(stores.cache, MODEL, version.version, ("carrier=AA", f"carrier={HOSTILE[0]}"), EventTime(START))
    policies = {MODEL: ModelPolicy(monitor=ModelMonitor(segments=("carrier",)))}
    monitor = Monitor(settings.monitoring, stores, incidents, policies)
    return Parts(
        settings,
        models,
        routes,
        labels,
        signals,
        incidents,
        monitor,
        Keys(home),
        run,
        home / "runtime",
        Journal(home / "state.db"),
        Outbox(home / "state.db"),
    )


def made_up_incidents(version: str) -> Judged:
    """One that stands with what it explains, one that is over, one that only informs."""

    def cause(kind: CauseKind, day: int, *subjects: str, **more: Any) -> Cause:
        at = EventTime(START + day * DAY_US)
        why = f"{subjects[0]} is not what it was"
        return Cause(
            model=MODEL, version=version, kind=kind, subjects=subjects, since=at, seen=EventTime(at + 2 * DAY_US),
            reason=why, bundle=(Signal("effect_w", at, 0.42, (("of", subjects[0]),), 0.31, 0.53, 900),), **more,
        )  # fmt: skip

    causes = (
        cause("quality", 70, HOSTILE[0], "carrier", harm_per_day=410.0),
        cause("performance", 71, "brier", harm_per_day=45.0),
        cause("performance", 20, "brier", harm_per_day=12.0, ended=EventTime(START + 40 * DAY_US)),
        cause("input", 50, "carrier", pages=False),
    )
    return Judged(causes, {}, 3 * DAY_US, EventTime(START + 80 * DAY_US))


def measurements(version: str) -> list[Signal]:
    """Event time by day with a few unknown windows, machine time by second."""
    of = (("model", MODEL), ("version", version))
    found: list[Signal] = []
    for day in range(DAYS):
        at = EventTime(START + day * DAY_US)
        value = 0.16 + 0.03 * math.sin(day / 9)
        unknown = NotEnoughData("12 labelled rows; 30 are needed")
        for metric, known in (("brier", value), ("auc", 0.7 - value / 5), ("accuracy", 0.8), ("f1", 0.3)):
            labels = (("metric", metric), *of)
            if day % 30 == 29:
                found.append(Signal("performance", at, unknown, labels))
            else:
                found.append(Signal("performance", at, known, labels, known - 0.015, known + 0.015, 900))
        expected = (("metric", "brier"), *of)
        found.append(Signal("performance_estimated", at, value + 0.01, expected, value - 0.02, value + 0.04, 900))
        found.append(Signal("label_coverage", at, 0.96 - 0.001 * day, of, n=900))
        found.append(Signal("predictions", at, 900.0 + 90 * math.sin(day), of, n=900))
        found.append(Signal("output_mean", at, 0.2 + 0.01 * math.cos(day), of, n=900))
        found.append(Signal("positive_share", at, 0.12 + 0.02 * math.sin(day / 3), of, n=900))
        for place, name in enumerate(FEATURES):
            effect = abs(math.sin(day * (place + 1))) * 0.1 + (0.006 * day if place == 2 else 0)
            late = NotEnoughData(HOSTILE[1]) if (day + place) % 40 == 7 else effect
            found.append(
                Signal("drift", at, late, (("column", name), *of), max(0.0, effect - 0.05), effect + 0.05, 900)
            )
            if effect > 0.45:
                labels = (("column", name), ("kind", "drift"), *of)
                found.append(Signal("reading", at, effect, labels, effect - 0.05, effect + 0.05, 900))
    for second in range(600):
        at = EventTime(START + DAYS * DAY_US + second * SECOND_US)
        wave = 1 + 0.2 * math.sin(second / 20)
        rates = (("requests_per_s", 1500 * wave), ("errors_per_s", 0.0), ("latency_p50_s", 0.002 * wave))
        for name, value in (*rates, ("latency_p99_s", 0.009 * wave)):
            found.append(Signal(name, at, value, (("model", MODEL),)))
    return found


TAKE_PIPES = """
import os, sys
os.dup2(int(sys.argv[1]), 3)  # the browser reads its commands from 3
os.dup2(int(sys.argv[2]), 4)  # and answers on 4
os.execv(sys.argv[3], sys.argv[3:])
"""


def _high(ends: tuple[int, int]) -> tuple[int, int]:
    """The same pipe on numbers that 3 and 4 do not collide with."""
    high = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 20) for end in ends)
    for end in ends:
        os.close(end)
    return high


class NavigatedError(AssertionError):
    """The page that was asked made way for another one."""


class Browser:
    """A headless Chromium, spoken to over its debugging pipe: real widths, real console, real policy."""

    def __init__(self, profile: Path) -> None:
        command, self._out = _high(os.pipe())
        self._in, answer = _high(os.pipe())
        flags = [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
            "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
            "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank",
        ]  # fmt: skip
        self._process = subprocess.Popen(
            [sys.executable, "-c", TAKE_PIPES, str(command), str(answer), shutil.which("chromium") or "", *flags],
            pass_fds=(command, answer),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(command)
        os.close(answer)
        self._buffer = b""
        self._asked = 0
        self._session = ""
        self.complaints: list[str] = []
        target = self.tell("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.tell("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Audits"):
            self.tell(f"{domain}.enable")

    def tell(self, method: str, **params: object) -> dict[str, Any]:
        """One command and its result; what the page complains about meanwhile is kept."""
        self._asked += 1
        message: dict[str, object] = {"id": self._asked, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            heard = self._hear()
            if heard.get("id") == self._asked:
                if "navigated" in str(heard.get("error")):
                    raise NavigatedError(heard)
                assert "error" not in heard, heard
                return heard["result"]
            self._note(heard)

    def open(self, url: str, width: int, height: int = 900, headers: dict[str, str] | None = None) -> None:
        """Load a page at a width in CSS pixels, as a telephone below 600."""
        self.complaints.clear()
        self.tell(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.tell("Network.setExtraHTTPHeaders", headers=headers or {})
        self.tell("Page.navigate", url=url)

    def evaluate(self, script: str) -> Any:
        result = self.tell("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait_for(self, script: str, timeout_s: float = 30) -> None:
        for _ in range(round(timeout_s / 0.1)):
            with suppress(NavigatedError):  # another page is on its way: ask that one
                if self.evaluate(script):
                    return
            sleep(0.1)
        raise AssertionError(f"never true: {script}; the page says: {self.complaints}")

    def picture(self, path: Path) -> None:
        """The whole page, not only what is on the screen."""
        shot = self.tell("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self) -> None:
        os.write(self._out, json.dumps({"id": 0, "method": "Browser.close"}).encode() + b"\0")
        self._process.wait(timeout=20)
        os.close(self._out)
        os.close(self._in)

    def _hear(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            chunk = os.read(self._in, 1 << 20)
            assert chunk, "the browser has gone"
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(line)

    def _note(self, heard: dict[str, Any]) -> None:
        method, params = heard.get("method", ""), heard.get("params", {})
        if method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.complaints.append(params["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(params["exceptionDetails"])[:300])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
            self.complaints.append(json.dumps(params["args"])[:300])
        elif method == "Audits.issueAdded" and "ContentSecurityPolicy" in params["issue"]["code"]:
            self.complaints.append(json.dumps(params["issue"]["details"])[:300])


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if not shutil.which("chromium"):
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    opened = Browser(tmp_path_factory.mktemp("browser"))
    yield opened
    opened.close()
