"""What is read of a window's labelled rows is the merge of its cells, in all and by segment."""

from __future__ import annotations

from tests.monitoring.parts import keep_segments

from gyroscope.clock import DAY_US, EventTime
from gyroscope.monitoring.cache import Cache
from gyroscope.monitoring.segments import labelled_in
from gyroscope.records import Window

NAMES = ("carrier=AA", "carrier=UA")


def test_the_cells_of_a_window_are_merged(tmp_path):
    path = tmp_path / "monitoring.db"
    keep_segments(path, "m", "v", NAMES, EventTime(0), days=3)
    cache = Cache(path)
    days = [labelled_in(cache, "m", "v", Window(EventTime(at * DAY_US), EventTime((at + 1) * DAY_US))) for at in (0, 1)]
    both = labelled_in(cache, "m", "v", Window(EventTime(0), EventTime(2 * DAY_US)))
    (first, its_parts), (second, other_parts) = days
    assert both == (first.merge(second), its_parts.merge(other_parts))
    assert {name: part.n for name, part in both[1].parts.items()} == dict.fromkeys(NAMES, 600)


def test_a_window_without_rows_has_nothing(tmp_path):
    assert labelled_in(Cache(tmp_path / "monitoring.db"), "m", "v", Window(EventTime(0), EventTime(1))) is None
