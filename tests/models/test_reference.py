"""References: cut by the calendar, mergeable back to the whole, and complaints about in-sample ones."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.clock import iso, parse_event_time
from gyroscope.errors import ModelError
from gyroscope.models.blocks import Blocks, block_starts
from gyroscope.models.reference import ReferenceProfile, build_reference
from gyroscope.models.store import Candidate, ModelStore
from gyroscope.models.suspicion import looks_in_sample, overlap
from gyroscope.records import Feature, Signature
from gyroscope.stats.performance import tally

NEW_YORK = Blocks("America/New_York")
SIGNATURE = Signature("binary", (Feature("x"), Feature("n", "int64"), Feature("c", "string", ("a", "b"))))
HOUR_US = 3_600_000_000


@pytest.fixture
def rows():
    random = np.random.default_rng(0)
    n = 600
    columns = {
        "x": np.where(random.random(n) < 0.1, np.nan, random.normal(size=n)),
        "n": random.integers(0, 9, n),
        "c": random.choice(np.array(["a", "b", None], dtype=object), n),
    }
    outputs = random.random(n)
    labels = np.where(random.random(n) < 0.2, np.nan, (outputs > random.random(n)).astype(float))
    start = parse_event_time("2013-03-08T00:00:00-05:00")
    times = start + np.sort(random.integers(0, 5 * 24 * HOUR_US, n))
    return columns, outputs, labels, times


def test_windows_are_new_yorks_days_and_merge_to_the_whole(rows):
    columns, outputs, labels, times = rows
    reference = build_reference(SIGNATURE, columns, outputs, labels, times, NEW_YORK)
    starts = [iso(start, "America/New_York") for start, _, _ in reference.windows]
    assert starts == [f"2013-03-{day:02d}T00:00:00{'-05:00' if day <= 10 else '-04:00'}" for day in range(8, 14)]
    total, outcomes = reference.windows[0][1:]
    for _, part, counts in reference.windows[1:]:
        total, outcomes = total.merge(part), outcomes.merge(counts)
    assert total.n == reference.total.n == 600
    assert outcomes.n == reference.outcomes.n == int((~np.isnan(labels)).sum())
    assert reference.outcomes.unusable == 0, "a row without a label is none that cannot be used"
    assert set(reference.total.columns) == {"x", "n", "c", "probability"}


def test_bytes_come_back_and_damage_is_named(rows, tmp_path):
    columns, outputs, labels, times = rows
    reference = build_reference(SIGNATURE, columns, outputs, labels, times)
    again = ReferenceProfile.from_bytes(reference.to_bytes())
    assert again.to_bytes() == reference.to_bytes()
    assert again.layout == reference.layout
    with pytest.raises(ValueError, match="format 9"):
        ReferenceProfile.from_bytes(b"\x94\x09" + reference.to_bytes()[2:])

    (tmp_path / "t.txt").write_bytes(b"tree\n")
    store = ModelStore(tmp_path)
    version = store.add(Candidate("m", "lightgbm", SIGNATURE, tmp_path / "t.txt"), 1)
    store.put_reference(version, reference)
    assert store.reference(version).to_bytes() == reference.to_bytes()
    store.artifact(version)
    (tmp_path / "models" / "m" / version.version / "reference.bin").write_bytes(reference.to_bytes()[:100])
    with pytest.raises(ModelError, match="is damaged"):
        store.reference(version)


def test_without_times_there_are_no_windows_and_without_labels_no_outcomes(rows):
    columns, outputs, _, _ = rows
    reference = build_reference(SIGNATURE, columns, outputs, None, None)
    assert reference.windows == []
    assert reference.outcomes.n == 0
    assert reference.total.n == 600


def test_classes_may_be_named_in_labels():
    signature = Signature("multiclass", (Feature("x"),), classes=("low", "mid", "high"))
    outputs = np.array([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7]])
    labels = np.array(["low", "mid"], dtype=object)
    reference = build_reference(signature, {"x": np.zeros(2)}, outputs, labels, None)
    assert reference.outcomes == tally("multiclass", outputs, np.array([0.0, 1.0]), classes=3)
    assert {"probability_0", "probability_1", "probability_2"} <= set(reference.total.columns)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"labels": np.full(600, 2.0)}, "label 2 is impossible"),
        ({"labels": np.array(["x"] * 600, dtype=object)}, "label is impossible"),
        ({"outputs": np.zeros(5)}, "rows and the outputs have 5"),
        ({"columns": {"x": np.zeros(600)}}, "no column 'n'"),
        ({"times": np.full(600, 1 << 62)}, "no event time"),
        ({"blocks": Blocks("Mars/Olympus")}, "no time zone"),
    ],
)
def test_what_does_not_fit_is_named(rows, change, complaint):
    columns, outputs, labels, times = rows
    given = {"columns": columns, "outputs": outputs, "labels": labels, "times": times, "blocks": NEW_YORK} | change
    with pytest.raises(ModelError, match=complaint):
        build_reference(SIGNATURE, *given.values())


@pytest.mark.parametrize("length", ["1h", "6h", "1d", "7d"])
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"])
def test_blocks_hold_their_rows_and_follow_one_another(zone, length):
    start = parse_event_time("2013-03-01T00:00:00Z")
    times = start + np.arange(0, 300 * 24 * HOUR_US, 17 * HOUR_US // 3)
    starts = block_starts(times, Blocks(zone, length))
    most = {"1h": 1, "6h": 7, "1d": 25, "7d": 169}[length]
    assert (starts <= times).all()
    assert (times - starts < most * HOUR_US).all()
    assert (np.diff(starts) >= 0).all()
    hours = {iso(int(at), zone)[11:16] for at in starts}
    if length == "6h":
        assert hours == {"00:00", "06:00", "12:00", "18:00"}
    elif length != "1h":
        assert hours == {"00:00"}


def test_in_sample_references_get_complaints(rows):
    columns, outputs, _, times = rows
    good = looks_in_sample(columns, outputs, times, own_outputs=outputs + 0.01, training={"x": np.zeros(3)})
    assert good == []
    assert "no event times" in looks_in_sample(columns, outputs, None)[0]
    assert "100%" in looks_in_sample(columns, outputs, times, own_outputs=outputs)[0]
    assert looks_in_sample(columns, outputs, times, own_outputs=outputs, is_promised=True) == []
    seen = looks_in_sample(columns, outputs, times, training={name: values[:60] for name, values in columns.items()})
    assert "of the reference rows are also training rows" in seen[0]


def test_rows_that_repeat_by_chance_are_no_complaint():
    random = np.random.default_rng(3)
    timetable = {"hour": random.integers(0, 24, 2000), "carrier": random.choice(np.array(["a", "b"], object), 2000)}
    march = {name: values[:900] for name, values in timetable.items()}
    april = {name: values[900:] for name, values in timetable.items()}
    assert overlap(april, march) == 1.0
    assert looks_in_sample(april, np.zeros(1100), np.arange(1100), training=march) == []


def test_overlap_counts_missing_values_as_equal_and_numbers_by_value():
    rows = {"a": np.array([np.nan, 1.0, 2.0]), "b": np.array([None, "x", "y"], dtype=object)}
    training = {"a": np.ma.masked_array([0, 1], mask=[True, False]), "b": np.array([None, "x"], dtype=object)}
    assert overlap(rows, training) == pytest.approx(2 / 3)
    assert overlap(rows, {"z": np.zeros(1)}) == 0.0


def test_what_must_not_be_kept_comes_into_no_reference():
    features = (Feature("x"), Feature("mail", "string", ("a@b",), role="pii"), Feature("income", role="drop"))
    signature = Signature("regression", features, output="y")
    x, digests = np.arange(3.0), np.array(["00ff00ff00ff00ff", None, "11ff00ff00ff00ff"], dtype=object)
    reference = build_reference(signature, {"x": x, "mail": digests, "income": x}, x, None, None)
    assert set(reference.layout.columns) == {"x", "mail", "y"}
    with pytest.raises(ModelError, match="must be hashed"):
        build_reference(signature, {"x": x, "mail": np.array(["a@b"] * 3, dtype=object)}, x, None, None)
