"""Waiting until a house has recorded every answer, joined every label and measured every window."""

from __future__ import annotations

from tests.journeys.own import until

from gyroscope.assembly import House
from gyroscope.clock import EventTime
from gyroscope.demo.outcome import Settled, books
from gyroscope.records import NotEnoughData, Version

ALWAYS = (EventTime(0), EventTime(4_102_444_800_000_000))  # 1970 to 2100


def settle(house: House, version: Version, *, sent: int, labels: int) -> Settled:
    """The books once these are all measured; fails saying what is missing after 90 seconds."""

    def measured() -> tuple[int, int]:
        return _sum(house, version, "predictions"), _sum(house, version, "label_count")

    until(lambda: measured() == (sent, labels), f"{sent} predictions and {labels} labels are measured", 90)
    return books(house)


def _sum(house: House, version: Version, name: str) -> int:
    labels = {"model": version.model, "version": version.version}
    values = [signal.value for signal in house.signals.query(name, labels, *ALWAYS)]
    return round(sum(value for value in values if not isinstance(value, NotEnoughData)))
