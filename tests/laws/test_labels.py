"""Laws of labels: they balance, and their order of arrival does not matter."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gyroscope.clock import EventTime
from gyroscope.predictions.ids.index import IdIndex, ids_path
from gyroscope.predictions.labels.labels import Labels
from gyroscope.predictions.recording.attempts import Attempt
from gyroscope.records import Label, Signature

SIGNATURE = Signature("binary", ())
KNOWN = [Attempt(f"r{n}", 1, f"2013-03-0{n + 1}", 7, n, 2) for n in range(2)]
FAST = Path("/dev/shm")
PIECES = st.lists(st.integers(1, 5), min_size=1, max_size=4)
Joined = dict[tuple[str, str, int], float]

labels_of_one_house = st.lists(
    st.builds(
        Label,
        request_id=st.sampled_from(["r0", "r1", "unknown"]),
        value=st.sampled_from([0.0, 1.0, "true", "bad"]),
        row=st.sampled_from([0, 2]),
        version=st.one_of(st.none(), st.integers(0, 2)),
        labeled_at=st.integers(0, 2).map(EventTime),
    ),
    min_size=2,
    max_size=16,
)


def outcome(labels: list[Label], sizes: list[int], known_after: int) -> tuple[dict[str, int], Joined]:
    """Counts and joined values after these calls, the predictions becoming known after some of them."""
    with tempfile.TemporaryDirectory(dir=FAST if FAST.is_dir() else None) as folder:
        home = Path(folder)
        index = IdIndex(ids_path(home, "m"))
        made = Labels(home, lambda _: SIGNATURE)
        position = 0
        for call, size in enumerate(itertools.cycle(sizes)):
            if call == known_after:
                index.take_in(("table", 0), KNOWN, [])
            if position >= len(labels) and call > known_after:
                break
            made.add("m", labels[position : position + size], EventTime(0))
            position += size
        made.settle("m", EventTime(0))
        index.close()
        joined = {
            (day, str(request_id), int(row)): float(value)
            for day in ("2013-03-01", "2013-03-02")
            for request_id, row, value in zip(*made.of_day("m", day), strict=True)
        }
        return made.counts("m"), joined


@settings(max_examples=150, deadline=None)
@given(labels_of_one_house, st.data())
def test_any_order_and_grouping_gives_the_same(labels: list[Label], data: st.DataObject) -> None:
    sizes = st.lists(st.integers(1, 5), min_size=1, max_size=4)
    shuffled = data.draw(st.permutations(labels))
    counts, joined = outcome(labels, [100], 0)
    again = outcome(shuffled, data.draw(sizes), data.draw(st.integers(0, 4)))
    assert again == (counts, joined)
    assert sum(counts.values()) == len(labels)
    assert counts["joined"] == len(joined)
    assert counts["refused"] == sum(label.value == "bad" for label in labels)


@settings(max_examples=60, deadline=None)
@given(
    labels_of_one_house, st.lists(st.integers(1, 5), min_size=1, max_size=4), st.lists(st.integers(1, 5), min_size=1)
)
def test_sent_again_in_other_pieces_everything_is_a_duplicate(
    labels: list[Label], sizes: list[int], others: list[int]
) -> None:
    counts, joined = outcome(labels, sizes, 0)
    twice, again = outcome(labels + labels, others, 0)
    assert again == joined
    for state in ("joined", "pending", "quarantined", "superseded"):
        assert twice[state] == counts[state]
    assert twice["refused"] == 2 * counts["refused"]
    assert sum(twice.values()) == 2 * len(labels)
