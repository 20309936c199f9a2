"""Load in a process of its own: requests at a fixed rate, never sent twice, each with its record in the ledger.

`Load` starts and stops it for a row. Open loop: a request is due when its time has come, whether or not earlier ones
were answered, and its latency counts from then on. The generator never looks at the house.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
import orjson
import uvloop

from benchmarks.house import MODEL, NUMBERS, Running
from benchmarks.ledger import LOGGED, RECORD, read, request_id
from gyroscope.demo.wire import Connection

CODES = {name: code for code, name in enumerate(LOGGED)}
PATIENCE_S = 5.0
_COLUMNS = orjson.dumps(["number", "kind", *NUMBERS])
_HEAD = b'{"dataframe_split":{"columns":' + _COLUMNS + b',"data":[['
_TAILS = [b",".join(b"0.%03d" % (at * 53 % 997 + column) for column in range(len(NUMBERS))) for at in range(100)]
FLUSH_S = 0.02


class Plan(msgspec.Struct, frozen=True):
    """What the generator is told. `first` is the number of the first request."""

    port: int
    key: str
    ledger: str
    rate: float
    workers: int = 32
    first: int = 0


class Load:
    """A running generator; several after each other may share a ledger, each going on with its numbers."""

    def __init__(self, house: Running, ledger: Path, rate: float, workers: int = 32) -> None:
        book = read(ledger)
        self.first = int(book["n"].max()) + 1 + workers if len(book) else 0
        plan = Plan(house.port, house.key, str(ledger), rate, workers, self.first)
        argv = [sys.executable, "-m", "benchmarks.load", msgspec.json.encode(plan).decode()]
        self._process = subprocess.Popen(argv)

    def stop(self) -> None:
        """Wait for what is in flight, then end."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        self._process.wait(PATIENCE_S + 10)


@contextmanager
def load(house: Running, ledger: Path, rate: float, workers: int = 32) -> Iterator[Load]:
    """Load for the length of a block."""
    made = Load(house, ledger, rate, workers)
    try:
        yield made
    finally:
        made.stop()


def body(n: int) -> bytes:
    """The n-th request, 20 columns: its first one is n, so the answer is 2 n."""
    return _HEAD + b'%d,"%c",%s]]}}' % (n, b"abc"[n % 3], _TAILS[n % len(_TAILS)])


class _Generator:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._numbers = itertools.count(plan.first)
        self._out = Path(plan.ledger)
        self._records: list[bytes] = []
        self._leaving = False

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._leave)
        self._began_ns = time.monotonic_ns()
        writer = asyncio.create_task(self._write())
        await asyncio.gather(*(self._work() for _ in range(self._plan.workers)))
        writer.cancel()
        self._flush()

    def _leave(self) -> None:
        self._leaving = True

    async def _work(self) -> None:
        connection = Connection("127.0.0.1", self._plan.port)
        while not self._leaving:
            n = next(self._numbers)
            due_ns = self._began_ns + round((n - self._plan.first) / self._plan.rate * 1e9)
            await asyncio.sleep(max(0.0, (due_ns - time.monotonic_ns()) / 1e9))
            if not self._leaving:
                await self._ask(connection, n, due_ns)
        connection.close()

    async def _ask(self, connection: Connection, n: int, due_ns: int) -> None:
        status, logged, output = 0, 0, np.nan
        try:
            answer = await connection.ask(self._request(n), PATIENCE_S)
        except (OSError, TimeoutError):
            await asyncio.sleep(0.005)
        else:
            status = answer.status
            logged = CODES.get(answer.headers.get("x-logged", ""), 0)
            if status == 200:
                output = float(orjson.loads(answer.body)["predictions"][0])
        took_ns = time.monotonic_ns() - due_ns
        self._records.append(np.array((n, due_ns, took_ns, output, status, logged, 0), dtype=RECORD).tobytes())

    def _request(self, n: int) -> bytes:
        content = body(n)
        return (
            b"POST /models/%s/invocations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
            b"Content-Type: application/json\r\nX-Request-Id: %s\r\nContent-Length: %d\r\n\r\n"
            % (MODEL.encode(), self._plan.key.encode(), request_id(n).encode(), len(content))
        ) + content

    async def _write(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_S)
            self._flush()

    def _flush(self) -> None:
        records, self._records = self._records, []
        if records:
            with self._out.open("ab", buffering=0) as file:
                file.write(b"".join(records))


if __name__ == "__main__":
    uvloop.run(_Generator(msgspec.json.decode(sys.argv[1], type=Plan)).run())
