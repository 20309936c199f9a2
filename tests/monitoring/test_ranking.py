"""Ranked lists from the log to the page: whole lists only, the numbers of scikit-learn, judged like every task."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from sklearn.metrics import ndcg_score
from tests.monitoring.conftest import ZONE, House
from tests.monitoring.judging.test_judge import day, joined, live

from gyroscope.clock import EventTime
from gyroscope.models import Blocks, build_reference
from gyroscope.monitoring.cold_start import Span, build
from gyroscope.monitoring.fold import Lens, bare_layout
from gyroscope.monitoring.tally import tally_rows
from gyroscope.predictions.segments.log import PredictionLog, segment_folder
from gyroscope.predictions.segments.wal import LogEntry
from gyroscope.records import Feature, Label, Signature, Window
from gyroscope.settings import Monitoring

ROWS = 160  # forty lists of four


def theirs(rows, of=slice(None)):
    """NDCG at 10 of each list, by scikit-learn on the rows."""
    lists = [np.flatnonzero(rows.hour[of] == name) for name in np.unique(rows.hour[of])]
    scores = [ndcg_score([rows.labels[of][one]], [rows.outputs[of][one]], k=10) for one in lists]
    return float(np.mean(scores))


@pytest.fixture
def house(make_house):
    return make_house("ranking")


def test_a_window_says_what_scikit_learn_says_of_its_whole_lists(house, make_rows):
    rows = make_rows("2013-01-01T00:00:00-05:00", ROWS, task="ranking")
    live(house, rows, labelled=False)
    house.label(rows, range(ROWS - 1))  # the last list lacks a row
    house.measure()
    (ndcg,) = house.points("performance", metric="ndcg")
    assert ndcg.value == pytest.approx(theirs(rows, slice(0, ROWS - 4)), rel=1e-12)
    assert ndcg.n == ROWS / 4 - 1
    assert house.values("label_coverage") == [(ROWS - 1) / ROWS]
    assert {dict(one.labels)["metric"] for one in house.points("performance")} == {"ndcg", "map", "mrr", "hit_rate"}
    house.label(rows, range(ROWS - 1, ROWS))
    house.measure()
    (ndcg,) = house.points("performance", metric="ndcg")
    assert ndcg.value == pytest.approx(theirs(rows), rel=1e-12)


def test_lists_that_become_worse_are_an_incident(house, make_rows):
    house.refer_to(joined([day(make_rows, number, n=ROWS, task="ranking") for number in range(30)]))
    rng = np.random.default_rng(1)
    for number in range(30, 42):
        rows = day(make_rows, number, n=ROWS, task="ranking")
        if number >= 36:
            rows.labels = rng.permutation(rows.labels)
        live(house, rows)
    house.measure()
    (incident,) = [one for one in house.incidents.all("flights") if one.pages]
    assert (incident.kind, incident.subjects) == ("performance", ("ndcg",))


def test_without_a_group_the_rows_of_a_request_are_a_list(tmp_path, make_rows):
    house = House(tmp_path, Monitoring(timezone=ZONE), "ranking", group="")
    rows = make_rows("2013-01-01T00:00:00-05:00", ROWS, task="ranking")
    log = PredictionLog(segment_folder(house.runtime, "flights"), f"flights-{house.version.version}-0", house.version)
    for number in range(ROWS // 4):
        of = slice(4 * number, 4 * number + 4)
        at = int(rows.times[of][0])
        entry = LogEntry(f"list {number}", at, at + 1, 1_000_000, 200)
        entry.matrix, entry.outputs = rows.matrix[of], rows.outputs[of].reshape(4, 1)
        log.append(entry)
    log.close()
    house.record()
    labels = [Label(f"list {k // 4}", float(rows.labels[k]), row=k % 4) for k in range(ROWS)]
    house.labels.add("flights", labels, EventTime(1_900_000_000_000_000))
    house.measure()
    (ndcg,) = house.points("performance", metric="ndcg")
    assert ndcg.value == pytest.approx(theirs(rows), rel=1e-12)


def test_rows_of_a_list_come_together_from_all_parts_and_a_torn_one_counts_nowhere():
    signature = Signature("ranking", (Feature("q", "string"),), group="q")

    def part(hours, lists, labels, weight=1):
        n = len(hours)
        return {
            "event_time": np.array(hours, np.int64) * 3_600_000_000, "said_at": np.zeros(n, np.int64),
            "version": np.zeros(n, int), "status": np.full(n, 200), "id_conflict": np.zeros(n, bool),
            "weight": np.full(n, weight, np.int32), "feature_q": np.array(lists, object),
            "output_0": np.arange(n, 0, -1.0), "label": np.array(labels, float),
        }  # fmt: skip

    lenses = {"v": Lens(signature, bare_layout(signature))}
    parts = [part([0, 0, 0], ["a", "b", "c"], [1, 0, 1]), part([0, 1, 1], ["b", "c", "d"], [1, 1, np.nan])]
    found = tally_rows(parts, "1970-01-01", lenses, Blocks("UTC", "1h"))
    first, second = (found[cell].outcomes for cell in sorted(found))
    assert (first.n, first.unusable, second.n, second.unusable) == (2, 1, 0, 2)
    (sampled,) = tally_rows([part([0, 0], ["a", "a"], [0, 1], weight=3)], "1970-01-01", lenses, Blocks()).values()
    assert (sampled.outcomes.n, sampled.arrivals.n, sampled.losses.n) == (3, 6, 0)


def test_references_of_lists_know_them_by_group_or_by_request(make_rows):
    rows = make_rows("2013-01-01T00:00:00-05:00", ROWS, task="ranking")
    named = Signature("ranking", (Feature("hour", "int64"),), group="hour")
    requests = msgspec.structs.replace(named, group="")
    given = ({"hour": rows.hour}, rows.outputs, rows.labels, rows.times)
    assert build_reference(named, *given).outcomes.n == ROWS / 4
    assert build_reference(requests, *given).outcomes.n == 0
    assert build_reference(requests, {**given[0], "request_id": rows.hour}, *given[1:]).outcomes.n == ROWS / 4


def test_a_reference_from_the_log_takes_the_requests_as_lists(house, make_rows):
    rows = make_rows("2013-01-01T00:00:00-05:00", ROWS, task="ranking")
    version = msgspec.structs.replace(house.version, signature=msgspec.structs.replace(house.signature, group=""))
    part = {
        "event_time": rows.times, "status": np.full(ROWS, 200), "id_conflict": np.zeros(ROWS, bool),
        "request_id": rows.hour.astype(str).astype(object), "row": np.arange(ROWS) % 4,
        "feature_distance": rows.distance, "feature_hour": rows.hour.astype(float),
        "feature_carrier": rows.columns["carrier"], "output_0": rows.outputs,
    }  # fmt: skip
    known = {(str(rows.hour[k]), k % 4): rows.labels[k] for k in range(ROWS)}
    span = Span(Window(EventTime(0), EventTime(1 << 60)), 0)
    assert build(version, [(part, known)], span, Blocks()).outcomes.n == ROWS / 4
