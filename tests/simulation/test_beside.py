"""The policies side by side: same requests for all, everything in order."""

from __future__ import annotations

from gyroscope.reports.figures.sizes import MOST_POINTS, sizes
from gyroscope.reports.rehearsal import HEADER, rows
from gyroscope.scaling.horizontal import Policy
from gyroscope.simulation import Replica, named
from gyroscope.simulation.beside import side_by_side
from gyroscope.stats.queueing import Promise

TRACE = named("spike", 1_500, 20.0)
OUTCOMES = side_by_side(TRACE, Replica(start_s=2.0), Policy(1, 12, Promise(0.5)))


def test_all_see_the_same_requests_and_the_fixed_size_stays():
    assert len({outcome.requests for outcome in OUTCOMES}) == 1
    assert OUTCOMES[-1].policy.startswith("static")
    assert OUTCOMES[-1].reversals == 0
    assert len(set(OUTCOMES[-1].sizes.tolist())) == 1


def test_the_table_has_a_line_for_each():
    table = rows(OUTCOMES)
    assert [row[0] for row in table] == [outcome.policy for outcome in OUTCOMES]
    assert {len(row) for row in table} == {len(HEADER)}


def test_the_picture_shows_each_policy_with_few_points():
    drawn = sizes(TRACE, OUTCOMES)
    assert {trace.name for trace in drawn.data} == {"requests/s", *(outcome.policy for outcome in OUTCOMES)}
    assert all(len(trace.x) <= MOST_POINTS for trace in drawn.data)
    broken = sum(sum(trace.y) for trace in drawn.data if trace.yaxis == "y3" and trace.name == "HPA v2")
    step_minutes = drawn.data[0].x[1] - drawn.data[0].x[0]
    assert round(broken * step_minutes) == OUTCOMES[1].violations
