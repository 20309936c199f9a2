"""What came of the replay: waiting until all of it is recorded and measured, and the months.

`run.py` and the journeys call this. It counts the table and the labels, not what the client believes.
"""

from __future__ import annotations

import duckdb
import msgspec

from gyroscope.assembly import House
from gyroscope.clock import SECOND_NS, EventTime, machine_now, sleep
from gyroscope.demo.place import MODEL
from gyroscope.errors import ProcessError
from gyroscope.monitoring.months import Month
from gyroscope.records import NotEnoughData, Version

PATIENCE_S = 90
ALWAYS = (EventTime(0), EventTime(4_102_444_800_000_000))  # 1970 to 2100
COUNTED = "SELECT count(*), count(DISTINCT request_id) FROM read_parquet($1, hive_partitioning=false) WHERE answered"


class Settled(msgspec.Struct, frozen=True):
    """The books after the last label: answered rows and ids in the table, labels received and by state."""

    answered_rows: int
    answered_ids: int
    received: int
    labels: dict[str, int]


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


def settle(house: House, version: Version, *, sent: int, labels: int) -> Settled:
    """Wait until every answer is recorded, every label joined and every window measured.

    Raises `ProcessError` saying what is missing after 90 seconds.
    """
    until = machine_now() + PATIENCE_S * SECOND_NS
    while True:
        measured = _sum(house, version, "predictions")
        joined = _sum(house, version, "label_count")
        if measured == sent and joined == labels:
            return _count(house)
        if machine_now() > until:
            books = _count(house)
            raise ProcessError(
                f"not everything was measured: {measured} of {sent} predictions, {joined} of {labels} labels; "
                f"answered rows in the table: {books.answered_rows} of {books.answered_ids} requests; {books.labels}",
                where=str(house.logs),
                fix="look into control.log and recorder.log there",
            )
        sleep(0.2)


def _sum(house: House, version: Version, name: str) -> int:
    labels = {"model": MODEL, "version": version.version}
    values = [signal.value for signal in house.signals.query(name, labels, *ALWAYS)]
    return round(sum(value for value in values if not isinstance(value, NotEnoughData)))


def _count(house: House) -> Settled:
    files = [file.path for file in house.table(MODEL).files()]
    rows = ids = 0
    if files:
        with duckdb.connect() as connection:
            rows, ids = connection.execute(COUNTED, [files]).fetchall()[0]
    by_state = house.labels.counts(MODEL)
    return Settled(rows, ids, sum(by_state.values()), by_state)
