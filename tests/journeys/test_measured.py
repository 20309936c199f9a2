"""What was measured equals scikit-learn on the joined rows; labels of every kind balance, and a correction restates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import orjson
import pytest
from msgspec import structs
from numpy.typing import NDArray
from sklearn import metrics as sklearn
from tests.journeys.conftest import Running, some, started
from tests.journeys.own import call, until
from tests.journeys.settling import settle

from gyroscope.clock import SECOND_US, EventTime
from gyroscope.demo.flights import ZONE, Flights
from gyroscope.demo.train import Trained
from gyroscope.monitoring.measure import LEAST_ROWS
from gyroscope.records import NotEnoughData, Signal
from gyroscope.stats.performance import METRICS, auc_bound, average_precision_bound

pytestmark = [pytest.mark.journey, pytest.mark.peer]

DAYS = tuple(str(date(2013, 3, 27) + timedelta(days=day)) for day in range(9))
LATER = "2013-05-02"
MODEL = "flights"


class Joined(NamedTuple):
    """Scores and outcomes of the rows that have both, with the day each belongs to."""

    scores: NDArray[np.float64]
    labels: NDArray[np.int64]
    days: NDArray[np.object_]

    def where(self, chosen: NDArray[np.bool_]) -> Joined:
        return Joined(self.scores[chosen], self.labels[chosen], self.days[chosen])


@pytest.fixture(scope="module")
def house(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with started(trained, tmp_path_factory.mktemp("measured")) as running:
        yield running


def joined(running: Running, outcomes: dict[str, int]) -> Joined:
    """The answered rows of the Delta table, joined here to the outcomes as the client sent them."""
    files = [file.path for file in running.house.table(MODEL).files()]
    query = (
        "SELECT request_id, output_0, epoch_us(event_time) FROM read_parquet($1, hive_partitioning=false)"
        " WHERE answered AND status = 200 ORDER BY request_id"
    )
    with duckdb.connect() as connection:
        rows = [row for row in connection.execute(query, [files]).fetchall() if row[0] in outcomes]
    days = [datetime.fromtimestamp(at / SECOND_US, ZoneInfo(ZONE)).date().isoformat() for _, _, at in rows]
    return Joined(
        np.array([row[1] for row in rows]),
        np.array([outcomes[row[0]] for row in rows]),
        np.array(days, dtype=object),
    )


def by_sklearn(rows: Joined) -> dict[str, float]:
    """The metrics that exist for these rows, by a library we did not write."""
    labels, scores = rows.labels, rows.scores
    said = scores >= 0.5
    found = {
        "accuracy": sklearn.accuracy_score(labels, said),
        "brier": sklearn.brier_score_loss(labels, scores),
        "log_loss": sklearn.log_loss(labels, scores, labels=[0, 1]),
        "positives": float(np.mean(labels)),
    }
    if said.any():
        found["precision"] = sklearn.precision_score(labels, said)
    if labels.any():
        found["recall"] = sklearn.recall_score(labels, said)
        found["average_precision"] = sklearn.average_precision_score(labels, scores)
    if not labels.all():
        found["false_positive_rate"] = 1 - sklearn.recall_score(1 - labels, ~said)
    if said.any() or labels.any():
        found["f1"] = sklearn.f1_score(labels, said)
    if 0 < labels.sum() < len(labels):
        found["auc"] = sklearn.roc_auc_score(labels, scores)
    return {name: float(value) for name, value in found.items()}


def compare(name: str, measured: float, wanted: float, bounds: dict[str, float]) -> None:
    if name in bounds:
        assert abs(measured - wanted) <= bounds[name] + 1e-12, name
    elif name in ("brier", "log_loss", "false_positive_rate"):
        assert measured == pytest.approx(wanted, rel=1e-12)
    else:
        assert measured == wanted, name


def of_day(running: Running, day: str) -> dict[str, Signal]:
    """The performance signals of one day's window, by metric."""
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(ZONE))
    start = EventTime(int(midnight.timestamp()) * SECOND_US)
    labels = {"model": MODEL, "version": running.version.version}
    found = running.house.signals.query("performance", labels, start, EventTime(start + 1))
    return {dict(signal.labels)["metric"]: signal for signal in found}


def bounds_of(running: Running, days: list[str]) -> dict[str, float]:
    """The stated bounds of the metrics that are binned, over these days."""
    starts = [of_day(running, day)["accuracy"].at for day in days]
    outcomes = running.house.monitor.outcomes(
        MODEL, running.version.version, EventTime(min(starts)), EventTime(max(starts) + 1)
    )
    assert not isinstance(outcomes, NotEnoughData)
    bounds = {"auc": auc_bound(outcomes), "average_precision": average_precision_bound(outcomes)}
    return {name: 0.0 if isinstance(bound, NotEnoughData) else bound for name, bound in bounds.items()}


def test_every_metric_of_every_month_and_day_is_scikit_learns(house: Running, flights: Flights) -> None:
    sent = flights.where(np.isin(flights.day, DAYS))
    house.replay(sent)
    labelled = {str(who): int(late) for who, late in zip(sent.ids, sent.late, strict=True) if late >= 0}
    settled = settle(house.house, house.version, sent=len(sent), labels=len(labelled))
    assert settled.labels["joined"] == settled.received == len(labelled)
    rows = joined(house, labelled)
    assert len(rows.scores) == len(labelled)

    months = {month.month: month for month in house.house.monitor.months(MODEL, house.version.version)}
    worst = 0.0
    for name in ("2013-03", "2013-04"):
        of_month = rows.where(np.char.startswith(rows.days.astype(str), name))
        days = [day for day in DAYS if day.startswith(name)]
        month, bounds = months[name], bounds_of(house, days)
        assert month.labelled == len(of_month.scores)
        assert month.predictions == int(np.isin(sent.day, days).sum())
        wanted = by_sklearn(of_month)
        assert set(wanted) == set(METRICS["binary"]) == set(month.metrics)
        for metric, value in wanted.items():
            found = month.metrics[metric]
            assert not isinstance(found, NotEnoughData)
            compare(metric, found.value, value, bounds)
            assert found.low <= found.value <= found.high
        worst = max(worst, abs(month.metrics["auc"].value - wanted["auc"]))  # type: ignore[union-attr]
        print(f"{name}: {month.labelled} labelled, AUC {wanted['auc']:.6f}, stated bound {bounds['auc']:.1e}")
    for day in DAYS:
        rows_of_day = rows.where(rows.days == day)
        assert len(rows_of_day.scores) >= LEAST_ROWS
        check_day(house, day, rows_of_day)
    print(f"{len(DAYS)} days, {len(rows.scores)} rows; binned AUC of a month at most {worst:.1e} off")


def check_day(running: Running, day: str, rows: Joined) -> None:
    measured, wanted = of_day(running, day), by_sklearn(rows)
    assert set(measured) == set(METRICS["binary"])
    bounds = bounds_of(running, [day])
    for metric, signal in measured.items():
        if metric not in wanted:
            assert isinstance(signal.value, NotEnoughData), (day, metric)
            continue
        assert not isinstance(signal.value, NotEnoughData), (day, metric, signal.value)
        compare(metric, signal.value, wanted[metric], bounds)


def post(running: Running, labels: list[Any]) -> dict[str, Any]:
    body = orjson.dumps({"model": MODEL, "labels": labels})
    headers = {"Authorization": f"Bearer {running.key}", "Content-Type": "application/json"}
    answer = call(running.port, "POST", "/v1/labels", body, headers)
    assert answer.status == 200, answer
    return dict(answer.said)


def counts(running: Running) -> dict[str, int]:
    return running.house.labels.counts(MODEL)


def change(running: Running, before: dict[str, int]) -> dict[str, int]:
    """How the states have changed, without those that have not."""
    return {state: count - before[state] for state, count in counts(running).items() if count != before[state]}


def test_labels_of_every_kind_balance_and_a_correction_restates_its_day(house: Running, flights: Flights) -> None:
    day = some(flights, 1_900, month=5)
    day = day.where((day.day == LATER) & (day.late >= 0))
    assert len(day) > 500
    outcomes = {str(who): int(late) for who, late in zip(day.ids, day.late, strict=True)}
    said = [label(who, value, "2013-05-03T00:00:00Z") for who, value in outcomes.items()]
    start = counts(house)

    early = post(house, said[:20])
    assert (early["received"], early["pending"]) == (20, 20), "their predictions are not there yet"
    # No labels by the replay itself: a flight that never lands has none.
    house.replay(structs.replace(day, lands=np.full(len(day), -1)))
    until(lambda: change(house, start) == {"joined": 20}, "the early labels join when their predictions come")
    first = joined(house, {one["request_id"]: one["value"] for one in said[:20]})
    assert len(first.scores) == 20

    late = post(house, said[20:])
    assert late["received"] == len(said) - 20
    until(lambda: change(house, start) == {"joined": len(said)}, "the late labels are joined")
    until(lambda: is_measured(house, outcomes), "the day is measured with all of them")
    check_day(house, LATER, joined(house, outcomes))
    before = of_day(house, LATER)["accuracy"].value

    assert post(house, said[:10])["duplicate"] == 10
    flipped = {who: 1 - value for who, value in list(outcomes.items())[:50]}
    assert post(house, [label(who, value, "2013-05-04T00:00:00Z") for who, value in flipped.items()])["joined"] == 50
    stale = [label(who, 1 - value, "2013-05-02T00:00:00Z") for who, value in list(outcomes.items())[100:107]]
    assert post(house, stale)["superseded"] == 7, "an older statement does not win"
    assert post(house, [label(f"nobody-{n}", 1, "2013-05-03T00:00:00Z") for n in range(3)])["pending"] == 3
    wrong = post(house, [said[0], *WRONG])
    assert [one["row"] for one in wrong["refused"]] == list(range(1, len(WRONG) + 1))
    assert all(one["reason"] for one in wrong["refused"])
    assert wrong["duplicate"] == 1

    expected = {"joined": len(said), "duplicate": 11, "superseded": 57, "pending": 3, "refused": len(WRONG)}
    sent = len(said) + 10 + 50 + 7 + 3 + 1 + len(WRONG)
    print(f"{sent} labels sent: {expected}")
    assert sum(expected.values()) == sent
    until(lambda: change(house, start) == expected, f"{expected}, not {change(house, start)}")
    outcomes |= flipped
    until(lambda: is_measured(house, outcomes), "the day is measured again with the corrections")
    check_day(house, LATER, joined(house, outcomes))
    after = of_day(house, LATER)["accuracy"].value
    assert after != before
    print(f"accuracy of {LATER}: {before:.4f}, after 50 corrections {after:.4f}")


WRONG: list[Any] = [
    {"request_id": "x", "value": "perhaps"},
    {"request_id": "x", "value": 2},
    {"request_id": "x", "value": 0.5},
    {"request_id": "x", "value": None},
    {"request_id": "x", "value": [1]},
    {"request_id": "", "value": 1},
    {"request_id": "x", "value": 1, "row": -1},
    {"request_id": "x", "value": 1, "labeled_at": "yesterday"},
    {"request_id": "x", "value": 1, "labelled_at": 0},
    {"value": 1},
    "x",
]


def label(request_id: str, value: int, at: str) -> dict[str, Any]:
    return {"request_id": request_id, "value": value, "labeled_at": at}


def is_measured(running: Running, outcomes: dict[str, int]) -> bool:
    """Whether the day's positives and accuracy are those of these outcomes already."""
    measured, wanted = of_day(running, LATER), by_sklearn(joined(running, outcomes))
    return bool(measured) and all(measured[name].value == wanted[name] for name in ("accuracy", "positives"))
