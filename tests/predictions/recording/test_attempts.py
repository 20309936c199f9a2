"""Which attempt is the answered one."""

from __future__ import annotations

import pytest
from tests.predictions.house import Entry, House

from gyroscope.predictions.recording.attempts import CONFLICT_US, Attempt, judge
from gyroscope.predictions.recording.decoded import decode
from gyroscope.predictions.segments.scan import scan
from gyroscope.predictions.segments.wal import Layout, LogEntry, encode, seal, segment_head

A, B, UNKNOWN = 7, 8, 0


def attempt(number: int, hashed: int, arrived_at: int, rows: int = 1) -> Attempt:
    return Attempt("r", number, "2013-03-01", hashed, arrived_at, rows)


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        ([attempt(1, A, 0)], {1: (True, False)}),
        ([attempt(1, A, 0), attempt(2, A, 9)], {1: (False, False), 2: (True, False)}),
        # drained late: the one that arrived last is answered, not the one that was read last
        ([attempt(1, A, 9), attempt(2, A, 0)], {1: (True, False), 2: (False, False)}),
        # a failure before and after: the prediction stays
        ([attempt(1, UNKNOWN, 0, 0), attempt(2, A, 9)], {1: (False, False), 2: (True, False)}),
        ([attempt(1, A, 0), attempt(2, UNKNOWN, 9, 0)], {1: (True, False), 2: (False, False)}),
        ([attempt(1, A, 0), attempt(2, A, 9, 0)], {1: (True, False), 2: (False, False)}),
        # nothing but failures: the last
        ([attempt(1, UNKNOWN, 0, 0), attempt(2, UNKNOWN, 9, 0)], {1: (False, False), 2: (True, False)}),
        # two inputs
        ([attempt(1, A, 0), attempt(2, B, CONFLICT_US)], {1: (True, True), 2: (True, True)}),
        ([attempt(1, A, 0), attempt(2, B, CONFLICT_US + 1)], {1: (True, False), 2: (True, False)}),
        (
            [attempt(1, A, 0), attempt(2, B, 5), attempt(3, A, 9)],
            {1: (False, True), 2: (True, True), 3: (True, True)},
        ),
    ],
)
def test_judge(attempts: list[Attempt], expected: dict[int, tuple[bool, bool]]) -> None:
    assert judge(attempts) == expected


def test_judging_does_not_slow_down_with_the_square() -> None:
    """A client that uses one id for everything: each attempt has a neighbour with another input."""
    many = [attempt(number, 1 + number % 2, number) for number in range(1, 50_001)]
    flags = judge(many)
    assert flags[50_000] == flags[49_999] == (True, True)
    assert sum(answered for answered, _ in flags.values()) == 2


def test_the_hash_is_that_of_the_input_alone(house: House, entry: Entry) -> None:
    layout = Layout(house.versions["0a1b2c3d4e5f"].signature)

    def hashed(some: LogEntry) -> int:
        data = segment_head(1, layout.schema_id) + encode(some, layout, 1) + seal(1, 1)
        decoded, odd = decode([(0, scan(data, segment=1, sealed=True))], layout)
        assert odd == []
        return int(decoded.input_hash[0])

    plain = entry(1)
    again = entry(1, arrival=5, client_id="elsewhere", entity_key="N1")
    again.outputs = again.outputs + 0.1
    unseen = entry(1)
    unseen.unseen = [(0, 1, "ZZ")]
    unseen_again = entry(1, client_id="xyz")
    unseen_again.unseen = [(0, 1, "ZZ")]
    other = entry(1)
    other.unseen = [(0, 1, "YY")]
    assert hashed(plain) == hashed(again) != 0
    assert hashed(unseen) == hashed(unseen_again)
    assert len({hashed(plain), hashed(entry(1, value=2.0)), hashed(unseen), hashed(other)}) == 4
    assert hashed(entry(1, status=500)) == 0
