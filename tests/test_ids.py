"""Ids made here sort by time and never meet."""

from __future__ import annotations

import uuid

from gyroscope.clock import EventTime
from gyroscope.ids import new_id


def test_ids_are_uuids_of_version_7_in_order_of_time():
    ids = [new_id(EventTime(at * 1_000_000)) for at in range(1_700_000_000, 1_700_000_100)]
    assert ids == sorted(ids)
    assert {uuid.UUID(one).version for one in ids} == {7}
    assert {uuid.UUID(one).variant for one in ids} == {uuid.RFC_4122}
    assert len({new_id(EventTime(0)) for _ in range(10_000)}) == 10_000
