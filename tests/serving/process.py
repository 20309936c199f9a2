"""A replica as its own process on a socket, with a model that can be made slow or wrong, and ways to ask it."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from gyroscope.clock import EventTime
from gyroscope.models.store import Candidate, ModelStore
from gyroscope.predictions.segments.entries import entries_in
from gyroscope.predictions.segments.scan import scan
from gyroscope.predictions.segments.wal import Layout
from gyroscope.records import Feature, Signature

SIGNATURE = Signature(
    "binary", (Feature("distance"), Feature("hour", "int64"), Feature("carrier", "string", ("AA", "UA")))
)
# A model with handles: the test can make it slow, wrong or spinning from outside, by what it sends.
CODE = """
import time
import numpy as np


class Model:
    def load(self, folder):
        pass

    def predict(self, matrix, columns):
        if matrix[0, 0] == -1:
            raise ValueError("the secret is /etc/passwd")
        if matrix[0, 0] == -2:
            return matrix[:, 0] * np.nan
        if matrix[0, 0] <= -100:
            time.sleep(-matrix[0, 0] / 1000)
        known = np.nan_to_num(matrix, nan=-1.0)
        return 1 / (1 + np.exp(-(known @ np.array([0.001, -0.05, 0.3]))))
"""
CAP_BYTES = 16 * 1024
FINE = [1, 2, "UA"]


class OverSocket(http.client.HTTPConnection):
    """http.client over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=20)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        try:
            self.sock.connect(self._path)
        except OSError:
            self.close()
            raise


class Replica:
    """A started replica and ways to ask it."""

    def __init__(self, home: Path, **limits: float) -> None:
        self.home = home
        self.path = home / "r.sock"
        self.store = ModelStore(home)
        (self.version,) = self.store.versions("flights")
        self.process = start(home, {"socket": str(self.path)}, {"body_bytes": CAP_BYTES, **limits})
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        until = time.monotonic() + 30
        while time.monotonic() < until and self.process.poll() is None:
            with contextlib.suppress(OSError):
                if self.ask("GET", "/v2/health/ready").status == 200:
                    return
            time.sleep(0.02)
        raise AssertionError(f"the replica did not start: {self.process.communicate()[1]}")

    def ask(self, method, path, body=None, connection=None, **headers):
        own = connection or OverSocket(self.path)
        sent = {"Authorization": "Bearer key", **{name.replace("_", "-"): value for name, value in headers.items()}}
        try:
            own.request(method, path, body if body is None or isinstance(body, bytes) else json.dumps(body), sent)
            reply = own.getresponse()
            reply.content = reply.read()
        finally:
            if connection is None:
                own.close()
        return reply

    @contextlib.contextmanager
    def raw(self):
        """A bare connection, for what http.client would not send."""
        with socket.socket(socket.AF_UNIX) as raw:
            raw.settimeout(20)
            raw.connect(str(self.path))
            yield raw

    def invoke(self, row, **more):
        body = {"dataframe_split": {"columns": list(SIGNATURE.names), "data": [row]}}
        return self.ask("POST", "/invocations", body, **more)

    def written(self):
        layout, found = Layout(self.version.signature), []
        for path in sorted((self.home / "segments").glob("*.seg")):
            result = scan(path.read_bytes(), sealed=False, segment=int(path.stem.rpartition("-")[2], 16))
            assert not result.damages
            found += entries_in(result, layout)
        return found

    def stop(self) -> str:
        self.process.terminate()
        _, said = self.process.communicate(timeout=20)
        return said


def start(home, listen, limits):
    script = Path(__file__).with_name("one_replica.py")
    return subprocess.Popen(
        [sys.executable, str(script), str(home), json.dumps(listen), json.dumps(limits)],
        stderr=subprocess.PIPE,
        text=True,
    )


def home_in(folder: Path) -> Path:
    """A home with the one model, in this folder."""
    (folder / "model.py").write_text(CODE)
    (folder / "digests").write_text(hashlib.sha256(b"key").hexdigest())
    candidate = Candidate("flights", "python", SIGNATURE, folder / "model.py", "model:Model")
    ModelStore(folder).add(candidate, EventTime(0))
    return folder


@contextlib.contextmanager
def running(home: Path) -> Iterator[Replica]:
    """A replica of this home for as long as the block lasts."""
    replica = Replica(home)
    try:
        yield replica
    finally:
        replica.process.kill()
        replica.process.communicate()


def head(request_id, length, *more):
    """The head of a raw invocation, without what is needed to end it."""
    lines = (
        b"POST /invocations HTTP/1.1",
        b"Host: x",
        b"Authorization: Bearer key",
        b"X-Request-Id: " + request_id,
        *more,
    )
    return b"\r\n".join((*lines, b"Content-Length: %d" % length if length else b"Transfer-Encoding: chunked", b"", b""))


def until_closed(raw):
    reply = b""
    with contextlib.suppress(ConnectionError):
        while part := raw.recv(65536):
            reply += part
    return reply


def one_reply(raw):
    reply = b""
    while not (found := re.search(rb"content-length: (\d+)\r\n(?:.+\r\n)*\r\n", reply)):
        reply += raw.recv(65536)
    while len(reply) < found.end() + int(found[1]):
        reply += raw.recv(65536)
    return reply
