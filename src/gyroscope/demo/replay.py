"""Send flights as predictions in the order of departure, and each outcome as a label when the flight lands.

`run.py` and the journeys call `replay`. Time here is the flights' own; the machine's clock only measures latency.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

import msgspec
import numpy as np
import orjson
from numpy.typing import NDArray

from gyroscope.client.wire import Reply
from gyroscope.clock import SECOND_NS, SECOND_US, EventTime, iso, machine_now
from gyroscope.demo.flights import FEATURES, Flights
from gyroscope.demo.wire import Connection
from gyroscope.demo.world import Stretch

LABEL_BATCH = 1_000
PER_S, CONNECTIONS = 3_000.0, 16
CROWD, CROWD_ROWS = 16, 500
"""So many at once, each with a table of so many flights: some milliseconds of a core, more than one replica may wait
for by what `plans` promises, however fast the machine is."""

SLACK_S = 0.05
"""A pace is kept on average of so long: sleeps are a millisecond too long."""

PATIENCE_S = 30.0
# The id makes it safe: no replica free, a replica that died under the request, one that was too slow.
TRY_AGAIN = (502, 503, 504)
# Control may be restarting: half a minute in all.
LABEL_WAITS_S = (0.05, 0.1, 0.2, 0.5, 1, 2, 4, 8, 8, 8, 0)


class Target(msgspec.Struct, frozen=True):
    """Where to send. `retries`: how often a broken connection, 502, 503 or 504 is tried again."""

    host: str
    port: int
    key: str
    model: str = "flights"
    retries: int = 5


class Progress(msgspec.Struct):
    """What has happened so far; the live view reads it, nobody else writes it."""

    total: int
    sent: int = 0
    answered: int = 0
    retried: int = 0
    labels_sent: int = 0
    at: EventTime = EventTime(0)


class Replayed(msgspec.Struct, frozen=True):
    """Per flight: HTTP status (0: none), probability (NaN: none), latency in seconds."""

    progress: Progress
    status: NDArray[np.int64]
    output: NDArray[np.float64]
    latency_s: NDArray[np.float64]
    versions: tuple[str, ...]
    failures: tuple[str, ...]


Between = Callable[[EventTime], Awaitable[None]]
"""Called with the time of the flights after each stretch, when its answers and labels are where they belong."""


async def replay(
    flights: Flights, stretches: Sequence[Stretch], target: Target, progress: Progress, between: Between
) -> Replayed:
    """Replay all flights; returns when every one was answered or given up and every label was taken."""
    run = _Run(flights, target, progress)
    await run.all(stretches, between)
    return Replayed(
        progress, run.status, run.output, run.latency_s, tuple(sorted(run.versions)), tuple(run.failures[:20])
    )


async def crowd(flights: Flights, target: Target, seconds: float) -> int:
    """Many who each ask about a whole table of flights, again and again, for so long; how often they were answered."""
    body = _Rows(flights).table(range(min(CROWD_ROWS, len(flights))))
    until, answered = machine_now() + seconds * SECOND_NS, 0

    async def ask() -> None:
        nonlocal answered
        connection = Connection(target.host, target.port)
        while machine_now() < until:
            with contextlib.suppress(OSError, TimeoutError):  # who is refused in a crowd asks again
                answered += (await connection.ask(_request(target, body), PATIENCE_S)).status == 200
        connection.close()

    await asyncio.gather(*(ask() for _ in range(CROWD)))
    return answered


class _Run:
    def __init__(self, flights: Flights, target: Target, progress: Progress) -> None:
        self._flights = flights
        self._rows = _Rows(flights)
        self._target = target
        self._progress = progress
        self._landing: list[tuple[int, int]] = []
        self._due: list[int] = []
        self._label_queue: asyncio.Queue[list[int] | None] = asyncio.Queue(maxsize=4)
        self.status = np.zeros(len(flights), dtype=np.int64)
        self.output = np.full(len(flights), np.nan)
        self.latency_s = np.full(len(flights), np.nan)
        self.versions: set[str] = set()
        self.failures: list[str] = []

    async def all(self, stretches: Sequence[Stretch], between: Between) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._send_labels())
            for stretch in stretches:
                await self._send_stretch(stretch)
                if stretch is stretches[-1]:  # what has not landed by then lands now
                    self._progress.at = EventTime(max(at for at, _ in [(self._progress.at, 0), *self._landing]))
                await self._release_labels(self._progress.at, least=1)
                await self._label_queue.join()
                await between(self._progress.at)
            await self._label_queue.put(None)

    async def _send_stretch(self, stretch: Stretch) -> None:
        order, pace = iter(range(stretch.first, stretch.end)), _Pace(PER_S)
        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(self._send_flights(order, pace))

    async def _send_flights(self, order: Iterator[int], pace: _Pace) -> None:
        connection = Connection(self._target.host, self._target.port)
        for at in order:
            await pace.turn()
            await self._release_labels(int(self._flights.departs[at]))
            when = int(self._flights.departs[at])
            about = f"X-Request-Id: {self._flights.ids[at]}\r\nX-Event-Time: {when / SECOND_US:.0f}\r\n"
            request = _request(self._target, self._rows.body(at), about)
            self._progress.sent += 1
            started = machine_now()
            answer = await self._ask(connection, request, at)
            self.latency_s[at] = (machine_now() - started) / 1e9
            if answer is not None:
                self._take(at, answer)
            if self._flights.lands[at] > 0:
                heapq.heappush(self._landing, (int(self._flights.lands[at]), at))
        connection.close()

    async def _ask(self, connection: Connection, request: bytes, at: int) -> Reply | None:
        for attempt in range(self._target.retries + 1):
            try:
                answer = await connection.ask(request, PATIENCE_S)
            except (OSError, TimeoutError) as error:
                self.failures.append(f"{self._flights.ids[at]}: {type(error).__name__}: {error}")
            else:
                if answer.status not in TRY_AGAIN or attempt == self._target.retries:
                    return answer
            if attempt < self._target.retries:
                self._progress.retried += 1
                await asyncio.sleep(0.05 * 2**attempt)
        return None

    def _take(self, at: int, answer: Reply) -> None:
        self.status[at] = answer.status
        if answer.status != 200:
            self.failures.append(f"{self._flights.ids[at]}: {answer.status}: {answer.body[:200]!r}")
            return
        self.output[at] = orjson.loads(answer.body)["predictions"][0]
        self.versions.add(answer.headers.get("x-model-version", ""))
        self._progress.answered += 1

    async def _release_labels(self, now: int, least: int = LABEL_BATCH) -> None:
        """Hand in the outcomes of those that have landed by now, once there are so many."""
        self._progress.at = EventTime(max(now, self._progress.at))
        while self._landing and self._landing[0][0] <= now:
            self._due.append(heapq.heappop(self._landing)[1])
        while len(self._due) >= least:
            batch, self._due = self._due[:LABEL_BATCH], self._due[LABEL_BATCH:]
            await self._label_queue.put(batch)

    async def _send_labels(self) -> None:
        connection = Connection(self._target.host, self._target.port)
        while (batch := await self._label_queue.get()) is not None:
            await self._deliver(connection, _label_request(self._target, self._flights, batch))
            self._progress.labels_sent += len(batch)
            self._label_queue.task_done()
        connection.close()

    async def _deliver(self, connection: Connection, request: bytes) -> None:
        """Labels are safe to send again: a doubled one is counted and changes nothing."""
        problem = ""
        for wait_s in LABEL_WAITS_S:
            try:
                answer = await connection.ask(request, PATIENCE_S)
            except (OSError, TimeoutError) as error:
                problem = f"{type(error).__name__}: {error}"
            else:
                if answer.status == 200:
                    return
                problem = f"{answer.status}: {answer.body[:300]!r}"
            await asyncio.sleep(wait_s)
        raise ConnectionError(f"labels were not taken: {problem}")


class _Pace:
    """So many a second, all workers together; who comes late sends at once and nothing is made up for."""

    def __init__(self, per_s: float) -> None:
        self._gap_s = 1 / per_s
        self._next_s = 0.0

    async def turn(self) -> None:
        """Wait for one's turn."""
        now_s = machine_now() / SECOND_NS
        self._next_s = max(self._next_s + self._gap_s, now_s - SLACK_S)
        if self._next_s > now_s:
            await asyncio.sleep(self._next_s - now_s)


class _Rows:
    """Bodies of single flights in MLflow's `dataframe_split`."""

    def __init__(self, flights: Flights) -> None:
        self._head = b'{"dataframe_split":{"columns":' + orjson.dumps(list(FEATURES)) + b',"data":['
        self._columns = [flights.columns[name].tolist() for name in FEATURES]

    def body(self, at: int) -> bytes:
        return self._head + orjson.dumps([column[at] for column in self._columns]) + b"]}}"

    def table(self, places: Iterable[int]) -> bytes:
        rows = b",".join(orjson.dumps([column[at] for column in self._columns]) for at in places)
        return self._head + rows + b"]}}"


def _request(target: Target, body: bytes, more: str = "") -> bytes:
    return (
        f"POST /models/{target.model}/invocations HTTP/1.1\r\nHost: {target.host}:{target.port}\r\n"
        f"Authorization: Bearer {target.key}\r\nContent-Type: application/json\r\n{more}"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def _label_request(target: Target, flights: Flights, batch: list[int]) -> bytes:
    labels = [
        {
            "request_id": flights.ids[at],
            "value": int(flights.late[at]),
            "labeled_at": iso(EventTime(int(flights.lands[at]))),
        }
        for at in batch
    ]
    body = orjson.dumps({"model": target.model, "labels": labels})
    return (
        f"POST /v1/labels HTTP/1.1\r\nHost: {target.host}:{target.port}\r\nAuthorization: Bearer {target.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
