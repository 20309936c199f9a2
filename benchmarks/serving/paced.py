"""Open loop: a request is due when its time has come, answered or not, and its latency counts from then on.

Rows hand over a `Plan`; the generator runs in a process of its own on the generator's core, sends nothing twice, and
leaves a record of each request. It is told what a good answer contains, and never looks at the server.
"""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
import uvloop
from numpy.typing import NDArray

from benchmarks.serving.cores import GENERATOR, pinned
from gyroscope.demo.wire import Connection

PATIENCE_S = 10.0
RECORD = np.dtype([("due_ns", "i8"), ("took_ns", "i8"), ("kind", "i2"), ("status", "i2")])
"""One request: when it was due, from then to its answer, which kind it was, its status (0: no answer)."""


NUMBER = b"99999999"


class Kind(msgspec.Struct, frozen=True):
    """Requests of one sort: `share` of all of them, one of `bodies` in turn; a good answer contains `good`.

    Where a body holds `NUMBER`, each request has its own: the house refuses an input that has killed two replicas.
    """

    share: int
    bodies: Sequence[bytes]
    good: bytes = b""
    headers: Mapping[str, str] = {}


class Plan(msgspec.Struct, frozen=True):
    """What the generator is told. Kinds come in a fixed shuffle of their shares.

    After the first `seconds` come `later` ones, each with a rate of its own: (rate, seconds).
    """

    port: int
    path: str
    headers: Mapping[str, str]
    kinds: Sequence[Kind]
    rate: float
    seconds: float
    workers: int = 64
    is_poisson: bool = False
    later: Sequence[tuple[float, float]] = ()


def paced(plan: Plan, folder: Path, act: Callable[[], object] | None = None) -> NDArray[np.void]:
    """Send it all; `act` is called in this process over and over meanwhile. Records in the order of their ends."""
    told, out = folder / "plan.msgpack", folder / "records.bin"
    told.write_bytes(msgspec.msgpack.encode(plan))
    argv = [sys.executable, "-m", "benchmarks.serving.paced", str(told), str(out)]
    with subprocess.Popen(pinned(GENERATOR, argv)) as generator:
        while act is not None and generator.poll() is None:
            act()
    if generator.returncode:
        raise RuntimeError(f"the generator ended with {generator.returncode}")
    return np.fromfile(out, dtype=RECORD)


def failed(records: NDArray[np.void]) -> int:
    """Requests without a good answer."""
    return int((records["status"] != 200).sum())


def percentile_ms(records: NDArray[np.void], share: float) -> float:
    """Of the good answers."""
    return float(np.percentile(records["took_ns"][records["status"] == 200], share)) / 1e6


class _Generator:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        rng = np.random.default_rng(0)
        kinds = np.repeat(np.arange(len(plan.kinds)), [kind.share for kind in plan.kinds])
        self._order = [int(kind) for kind in rng.permutation(kinds)]
        self._requests = [[_request(plan, kind, body) for body in kind.bodies] for kind in plan.kinds]
        steps = ((plan.rate, plan.seconds), *plan.later)
        mean = np.concatenate([np.full(round(rate * seconds), 1 / rate) for rate, seconds in steps])
        gaps = rng.exponential(mean) if plan.is_poisson else mean
        self._due_ns = iter((gaps.cumsum() * 1e9).astype(np.int64).tolist())
        self._numbers = itertools.count()
        self.records: list[tuple[int, int, int, int]] = []

    async def run(self) -> None:
        self._began_ns = time.monotonic_ns() + 200_000_000
        await asyncio.gather(*(self._work() for _ in range(self._plan.workers)))

    async def _work(self) -> None:
        connection = Connection("127.0.0.1", self._plan.port)
        for due_ns in self._due_ns:
            n = next(self._numbers)
            at_ns = self._began_ns + due_ns
            await asyncio.sleep(max(0.0, (at_ns - time.monotonic_ns()) / 1e9))
            kind = self._order[n % len(self._order)]
            requests = self._requests[kind]
            request = requests[n % len(requests)].replace(NUMBER, b"%d" % (10_000_000 + n), 1)
            status = await self._ask(connection, request, self._plan.kinds[kind].good)
            self.records.append((at_ns, time.monotonic_ns() - at_ns, kind, status))
        connection.close()

    async def _ask(self, connection: Connection, request: bytes, good: bytes) -> int:
        try:
            answer = await connection.ask(request, PATIENCE_S)
        except (OSError, TimeoutError):
            return 0
        return answer.status if answer.status != 200 or good in answer.body else 0


def _request(plan: Plan, kind: Kind, body: bytes) -> bytes:
    headers = {**plan.headers, **kind.headers}
    lines = [f"POST {plan.path} HTTP/1.1", "Host: x", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join([*lines, f"Content-Length: {len(body)}"]) + "\r\n\r\n").encode() + body


if __name__ == "__main__":
    generator = _Generator(msgspec.msgpack.decode(Path(sys.argv[1]).read_bytes(), type=Plan))
    uvloop.run(generator.run())
    np.array(generator.records, dtype=RECORD).tofile(sys.argv[2])
