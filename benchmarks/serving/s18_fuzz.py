"""S18: a million hostile bodies and Schemathesis at a real house: documented answers, no crash, no memory, at once.

Bodies go to the replica's own socket, one connection a worker, so that the time of a refusal is the replica's; the
corpus and Schemathesis go through the door. 500 and 502 are documented and count as wrong here: the model is sound.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from typing import NamedTuple

import numpy as np
import psutil

import peers
from benchmarks.house import MODEL, Running, running
from benchmarks.rows import Row, at_least, at_most
from benchmarks.serving.hostile import Case, corpus, fuzzed, sound
from benchmarks.target import Options
from gyroscope.assembly.plan import replica_name
from gyroscope.serving.openapi import REFUSALS

WORKERS = 2
# Through the door a head may be refused by HAProxy itself.
DOCUMENTED = {200, 404, 405, 431, *REFUSALS} - {500}
MIB = 1 << 20


class Seen(NamedTuple):
    """What one worker met: how often each status, how long the refusals took, and the first that were wrong."""

    statuses: Counter[int]
    refused_s: np.ndarray
    wrong: list[str]


def measure(options: Options) -> list[Row]:
    """The bodies, the corpus through the door, then Schemathesis through the door."""
    n = 50_000 if options.is_quick else 1_000_000
    with running(options.folder / "house", replicas=1, serving={"segment_cap_mib": 4}) as house:
        (pid,) = house.pids("replica")
        path = str(house.house.socket(replica_name(MODEL, house.version.version, 0)))
        _drive(path, house.key, options.seed, 1_000)  # what a replica takes to warm up is no rise
        with _Watch(pid) as memory:
            seen = _shared(path, house.key, options.seed, n)
        door = _corpus(house)
        failures, cases = _schemathesis(house, options)
        alive = float(house.pids("replica") == [pid])
        answered = _drive(path, house.key, 0, 0)
    print(f"S18: {dict(seen.statuses)}; wrong {seen.wrong}; door {dict(door.statuses)}; wrong {door.wrong}")
    p99_ms = float(np.percentile(seen.refused_s, 99)) * 1e3
    wrong = sum(count for status, count in seen.statuses.items() if status not in DOCUMENTED)
    at_door = sum(count for status, count in door.statuses.items() if status not in DOCUMENTED)
    return [
        at_most("S18", "answers of the replica that are not documented", wrong, 0, "answers", n),
        at_most("S18", "answers through the door that are not documented", at_door, 0, "answers",
                door.statuses.total()),
        at_most("S18", "findings of Schemathesis through the door", failures, 0, "findings", cases),
        at_least("S18", "the replica is the one that began, and sound bodies are answered",
                 alive * answered.statuses[200] / len(sound()), 1.0, "of 1", len(sound())),
        at_most("S18", "rise of its memory", memory.rise / MIB, 64.0, "MiB", n),
        at_most("S18", "p99 of a refusal", p99_ms, 50.0, "ms", len(seen.refused_s)),
    ]  # fmt: skip


class _Watch:
    """The resident memory of a process, from when it was begun to its most."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._before = self._most = 0

    @property
    def rise(self) -> int:
        return self._most - self._before

    def __enter__(self) -> _Watch:
        self._before = self._most = self._process.memory_info().rss
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._is_over.wait(0.1):
            self._most = max(self._most, self._process.memory_info().rss)


def _shared(path: str, key: str, seed: int, n: int) -> Seen:
    # Polars, which makes a seed, has threads that do not survive a fork.
    with ProcessPoolExecutor(WORKERS, get_context("spawn")) as pool:
        jobs = [pool.submit(_drive, path, key, seed * 100 + i + 1, n // WORKERS) for i in range(WORKERS)]
        found = [job.result() for job in jobs]
    statuses: Counter[int] = sum((one.statuses for one in found), Counter())
    return Seen(statuses, np.concatenate([one.refused_s for one in found]), [w for one in found for w in one.wrong][:5])


def _drive(path: str, key: str, seed: int, n: int) -> Seen:
    """`n` fuzzed bodies over one unix socket, else the sound ones once."""
    cases = islice(fuzzed(random.Random(seed)), n) if n else sound()
    with _Caller(path, key) as caller:
        return _all(caller, cases)


def _corpus(house: Running) -> Seen:
    with _Caller(("127.0.0.1", house.port), house.key) as caller:
        return _all(caller, corpus())


def _all(caller: _Caller, cases: Iterable[Case]) -> Seen:
    statuses: Counter[int] = Counter()
    refused: list[float] = []
    wrong: list[str] = []
    for case in cases:
        began = time.perf_counter()
        status, said = caller.ask(case)
        took = time.perf_counter() - began
        is_typed = status == 200 or _is_typed(said)
        statuses[status if is_typed else 0] += 1
        if status != 200:
            refused.append(took)
        if len(wrong) < 5 and (status not in DOCUMENTED or not is_typed):
            wrong.append(f"{status} {said[:200]!r} to {case.path} {case.headers} {case.body[:300]!r}")
    return Seen(statuses, np.array(refused or [0.0]), wrong)


def _is_typed(said: bytes) -> bool:
    try:
        return bool(json.loads(said).keys() & {"error", "error_code"})
    except ValueError:
        return False


class _Caller:
    """One kept connection; a body is sent whole. A connection that ends without an answer is status 0."""

    def __init__(self, address: str | tuple[str, int], key: str) -> None:
        self._address = address
        self._key = key
        self._socket: socket.socket | None = None

    def __enter__(self) -> _Caller:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def ask(self, case: Case) -> tuple[int, bytes]:
        """Status and body of the answer."""
        headers = {"Content-Type": "application/json", **case.headers, "Authorization": f"Bearer {self._key}"}
        lines = [f"POST {case.path} HTTP/1.1", "Host: x", *(f"{name}: {value}" for name, value in headers.items())]
        head = "\r\n".join([*lines, f"Content-Length: {len(case.body)}", "", ""]).encode()
        try:
            return self._exchange(head + case.body)
        except (OSError, ValueError) as error:
            self._close()
            return 0, repr(error).encode()

    def _exchange(self, request: bytes) -> tuple[int, bytes]:
        if self._socket is None:
            kind = socket.AF_UNIX if isinstance(self._address, str) else socket.AF_INET
            self._socket = socket.socket(kind)
            self._socket.settimeout(20)
            self._socket.connect(self._address)
        with contextlib.suppress(ConnectionError):  # refused before it was all sent: the answer is there to be read
            self._socket.sendall(request)
        raw = b""
        while b"\r\n\r\n" not in raw:
            raw += self._more()
        head, _, body = raw.partition(b"\r\n\r\n")
        words = head.lower().split(b"\r\n")
        length = int(next(line for line in words if line.startswith(b"content-length:"))[15:])
        while len(body) < length:
            body += self._more()
        if b"connection: close" in words:
            self._close()
        return int(head.split(b" ", 2)[1]), body

    def _more(self) -> bytes:
        assert self._socket is not None
        chunk = self._socket.recv(65_536)
        if not chunk:
            raise ConnectionError("closed without an answer")
        return chunk

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _schemathesis(house: Running, options: Options) -> tuple[int, int]:
    """Findings, and how many requests it made."""
    report = options.folder / "schemathesis.json"
    argv = [
        str(peers.python("schemathesis").with_name("schemathesis")),
        "--config-file", str(peers.HERE / "schemathesis" / "schemathesis.toml"),
        "run", f"http://127.0.0.1:{house.port}/v2/openapi.json", "--header", f"Authorization: Bearer {house.key}",
        "--phases", "examples,coverage,fuzzing", "--max-examples", "20" if options.is_quick else "200",
        "--seed", str(options.seed), "--no-color",
    ]  # fmt: skip
    done = subprocess.run(argv, capture_output=True, text=True, cwd=options.folder, check=False)
    report.write_text(done.stdout)
    if done.returncode:
        print(done.stdout[-6000:])
    made = re.search(r"(\d+) generated", done.stdout)
    return done.stdout.count("Test Case ID:") + (done.returncode not in (0, 1)), int(made[1]) if made else 0
