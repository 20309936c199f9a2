"""What came of the replay: waiting until the house has caught up, the books, and the months.

`run.py` and the journeys call this. It counts the table and the labels, not what the client believes.
"""

from __future__ import annotations

import asyncio

import duckdb
import msgspec
import numpy as np
import orjson
from numpy.typing import NDArray

from gyroscope.assembly import House
from gyroscope.clock import SECOND_NS, EventTime, machine_now
from gyroscope.demo.flights import Flights
from gyroscope.demo.place import MODEL
from gyroscope.demo.replay import Target
from gyroscope.demo.wire import Connection
from gyroscope.errors import ProcessError
from gyroscope.monitoring.months import Month
from gyroscope.records import NotEnoughData, Signature
from gyroscope.stats.performance import metrics, tally

PATIENCE_S, ASK_S = 300, 60.0
ALWAYS = (EventTime(0), EventTime(4_102_444_800_000_000))  # 1970 to 2100
COUNTED = """
SELECT count(*), count(DISTINCT request_id) FROM read_parquet($1, hive_partitioning=false)
WHERE answered AND variant <> 'shadow'
"""


class Settled(msgspec.Struct, frozen=True):
    """The books after the last label: answered rows and ids in the table, labels received and by state."""

    answered_rows: int
    answered_ids: int
    received: int
    labels: dict[str, int]


async def caught_up(house: House, target: Target) -> None:
    """Wait until the house has recorded, measured, judged and decided on all that it was sent.

    Raises `ProcessError` saying what is missing after five minutes.
    """
    request = (
        f"POST /v1/settle HTTP/1.1\r\nHost: {target.host}:{target.port}\r\n"
        f"Authorization: Bearer {target.key}\r\nContent-Length: 0\r\n\r\n"
    ).encode()
    until, missing = machine_now() + PATIENCE_S * SECOND_NS, "no answer"
    connection = Connection(target.host, target.port)
    while machine_now() < until:
        try:
            reply = await connection.ask(request, ASK_S)
        except (OSError, TimeoutError) as error:
            missing = f"{type(error).__name__}: {error}"
        else:
            missing = orjson.loads(reply.body)["missing"] if reply.status == 200 else f"{reply.status}: {reply.body!r}"
        if not missing:
            connection.close()
            return
        await asyncio.sleep(0.1)
    raise ProcessError(
        f"the house did not catch up: {missing}",
        where=str(house.logs),
        fix="look into control.log and recorder.log there",
    )


def books(house: House) -> Settled:
    """What the table and the labels hold."""
    files = [file.path for file in house.table(MODEL).files()]
    rows = ids = 0
    if files:
        with duckdb.connect() as connection:
            rows, ids = connection.execute(COUNTED, [files]).fetchall()[0]
    by_state = house.labels.counts(MODEL)
    return Settled(rows, ids, sum(by_state.values()), by_state)


def months(sent: Flights, answers: NDArray[np.float64], signature: Signature) -> list[Month]:
    """Every month of the replay: how often the answers, whichever version gave them, were right."""
    found = []
    for month in np.unique(sent.month).tolist():
        inside = sent.month == month
        known = inside & (sent.late >= 0)
        outcomes = tally(signature.task, answers[known], sent.late[known], threshold=signature.threshold)
        found.append(Month(f"2013-{month:02d}", int(inside.sum()), int(known.sum()), metrics(outcomes)))
    return found


def cells(month: Month, names: tuple[str, ...]) -> list[str]:
    """A month's numbers as a table shows them."""
    values = [month.metrics.get(name, NotEnoughData("not measured")) for name in names]
    return ["-" if isinstance(value, NotEnoughData) else f"{value.value:.3f}" for value in values]


def plain(month: Month, names: tuple[str, ...]) -> dict[str, object]:
    """A month's numbers for programs: value and interval, or the reason why not."""
    found: dict[str, object] = {"month": month.month, "predictions": month.predictions, "labelled": month.labelled}
    for name in names:
        value = month.metrics.get(name, NotEnoughData("not measured"))
        if isinstance(value, NotEnoughData):
            found[name] = {"not_enough_data": value.reason}
        else:
            found[name] = {"value": value.value, "low": value.low, "high": value.high, "n": value.n}
    return found


def coverage(month: Month) -> str:
    """The share of a month's predictions that have a label."""
    return f"{month.labelled / month.predictions:.1%}"
