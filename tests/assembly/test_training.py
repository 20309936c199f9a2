"""What a training made is loaded in the trainer's process, and becomes no version when it does not work."""

from __future__ import annotations

import hashlib

import msgspec
import numpy as np
import pytest
from arro3.core import Array, DataType, Table

from gyroscope.assembly import House, training
from gyroscope.assembly.labelled import Data, LabelledDays
from gyroscope.assembly.retraining import HouseSenses
from gyroscope.clock import DAY_US, EventTime
from gyroscope.errors import GyroscopeError
from gyroscope.models.challengers import Challenger
from gyroscope.models.store import Candidate
from gyroscope.records import Cause, Feature, Judged, Signature
from gyroscope.retraining.trainer import RESULT, Result
from gyroscope.rollouts.decide import Reason
from gyroscope.settings_models import ModelPolicy, Retrain

TRAIN = """
def train(rows):
    return "own.py:Own"
"""
OWN = """
import numpy as np

class Own:
    def predict(self, matrix, columns):
        return np.full(2, {answer})
"""
WRITES = """
from pathlib import Path

def train(rows):
    code = "class Own:\\n    def predict(self, matrix, columns):\\n        return [0.5] * len(matrix)\\n"
    Path("own.py").write_text(code)
    return "own.py:Own"
"""
SETTINGS = "home: home\nruntime_dir: run\nmodels: {m: {retrain: {train: 'train.py:train'}}}\n"


def days_of(labels):
    """Two rows a day, of these labels."""
    moments = np.arange(len(labels)) * DAY_US // 2
    return Table.from_arrays(
        [
            Array(moments).cast(DataType.timestamp("us", tz="UTC")),
            Array(np.arange(len(labels), dtype=float)),
            Array(np.array(labels, dtype=float)),
        ],
        names=["event_time", "x", "label"],
    )


@pytest.mark.parametrize(("answer", "is_kept"), [("0.5", True), ("7.0", False)])
def test_what_does_not_work_becomes_no_version(tmp_path, monkeypatch, answer, is_kept):
    for name, text in (("gyroscope.yaml", SETTINGS), ("train.py", TRAIN), ("t.txt", "tree\n")):
        (tmp_path / name).write_text(text)
    made = tmp_path / "made"
    made.mkdir()
    (made / "own.py").write_text(OWN.format(answer=answer))
    house = House(tmp_path / "gyroscope.yaml")
    signature = Signature("binary", (Feature("x"),))
    first = house.models.add(Candidate("m", "lightgbm", signature, tmp_path / "t.txt"), EventTime(1))
    monkeypatch.setattr(training, "limit", lambda limits: None)
    monkeypatch.setattr(LabelledDays, "rows", lambda self: (days_of([0, 1]), Data(9)))
    monkeypatch.setattr(House, "signature_of", lambda self, model: signature)
    if is_kept:
        training.run_training(tmp_path / "gyroscope.yaml", "m", made)
    else:
        with pytest.raises(GyroscopeError):
            training.run_training(tmp_path / "gyroscope.yaml", "m", made)
    assert (made / RESULT).exists() is is_kept
    if is_kept:
        result = msgspec.json.decode((made / RESULT).read_bytes(), type=Result)
        assert result.code == hashlib.sha256(TRAIN.encode()).hexdigest()
        assert (result.rows, result.artifact) == (9, "own.py")
    others = [one for one in house.models.versions("m") if one != first]
    assert [one.runner for one in others] == ["python"] * is_kept


def test_the_same_model_again_keeps_its_reference(tmp_path, monkeypatch):
    texts = (("gyroscope.yaml", SETTINGS.replace("}}}", ", folds: 2}}}")), ("train.py", WRITES), ("t.txt", "tree\n"))
    for name, text in texts:
        (tmp_path / name).write_text(text)
    made = tmp_path / "made"
    made.mkdir()
    monkeypatch.chdir(made)
    monkeypatch.setattr(training, "limit", lambda limits: None)
    monkeypatch.setattr(House, "signature_of", lambda self, model: Signature("binary", (Feature("x"),)))
    references = []
    for labels in ([0, 1] * 4, [1, 1] * 6):
        monkeypatch.setattr(LabelledDays, "rows", lambda self, rows=labels: (days_of(rows), Data(9)))
        training.run_training(tmp_path / "gyroscope.yaml", "m", made)
        models = House(tmp_path / "gyroscope.yaml").models
        [version] = models.versions("m")
        references.append(models.reference(version).total.n)
    assert references == [8, 8], "what is measured against it stays as it was"


def test_rows_of_data_that_was_broken_are_left_out_once_it_is_over(lived):
    lived.fill().close()
    whole = LabelledDays(lived.house, "flights").data()
    assert whole.rows == 50
    hour, first = 3_600_000_000, whole.first
    made = {"model": "flights", "version": lived.version.version, "kind": "quality", "reason": "", "subjects": ("x",)}
    start = EventTime(first + 10 * hour)
    lasts = Cause(**made, since=start, seen=start)
    lived.house.incidents.take("flights", Judged((lasts,), {}, hour, EventTime(0)))
    assert LabelledDays(lived.house, "flights").data() == whole, "it is the veto that keeps these rows out"
    senses = HouseSenses(lived.house)
    assert [one.since for one in senses.seen("flights", [], []).broken] == [start]
    over = msgspec.structs.replace(lasts, ended=EventTime(start + 5 * hour))
    lived.house.incidents.take("flights", Judged((over,), {}, hour, EventTime(0)))
    left = LabelledDays(lived.house, "flights").data()
    assert (left.rows, left.newest) == (45, whole.newest)
    assert left.digest != whole.digest
    assert senses.seen("flights", [], []).broken == ()


def test_that_broken_data_made_it_worse_is_a_trigger_too(lived):
    lived.fill().close()
    made = {"model": "flights", "version": lived.version.version, "since": EventTime(5), "seen": EventTime(6)}
    broken = Cause(**made, kind="quality", subjects=("x",), reason="x is missing")
    fell = Cause(**made, kind="performance", subjects=("brier",), reason="it fell")
    senses = HouseSenses(lived.house)
    lived.house.incidents.take("flights", Judged((broken,), {}, 9, EventTime(0)))
    assert senses.seen("flights", [], []).incidents == ()
    lived.house.incidents.take("flights", Judged((broken, fell), {}, 9, EventTime(0)))
    assert senses.seen("flights", [], []).incidents == ("x is missing",)


def test_an_incident_is_newer_than_no_data_that_is_read_after_it(lived):
    live = lived.fill()
    lived.house.settings.models["flights"] = ModelPolicy(retrain=Retrain(train="train.py:train"))
    senses = HouseSenses(lived.house)
    before = senses.seen("flights", [], []).now
    lived.predict(live, *range(60, 90))
    live.close()
    lived.record()
    assert senses.seen("flights", [], []).now == before, "a long log is not read at every look"
    seen = EventTime(before + 20 * 3_600_000_000)
    made = {"model": "flights", "version": lived.version.version, "since": seen, "seen": seen}
    fell = Cause(**made, kind="performance", subjects=("brier",), reason="it fell")
    lived.house.incidents.take("flights", Judged((fell,), {}, 9, EventTime(0)))
    assert senses.seen("flights", [], []).now > seen, "else its training would count as older, and be done again"


@pytest.mark.parametrize(
    ("reasons", "count"),
    [
        ((Reason.WORSE, Reason.NOT_BETTER), 2),
        ((Reason.WORSE, Reason.TOO_LONG, Reason.ERRORS), 2),
        ((Reason.TOO_LONG, Reason.TOO_LONG), 0),
    ],
)
def test_who_was_taken_back_undecided_speaks_against_nobody(lived, reasons, count):
    tries = [
        Challenger(
            at,
            "flights",
            str(at),
            f"training-{at}",
            EventTime(0),
            "rolled_back",
            f"x-1: roll back, {why}",
            EventTime(0),
        )
        for at, why in enumerate(reasons)
    ]
    assert HouseSenses(lived.house).seen("flights", [], tries).taken_back == count


def test_what_is_no_model_is_refused_in_words(tmp_path):
    (tmp_path / "notes.bin").write_bytes(b"nothing a runner knows")
    with pytest.raises(GyroscopeError, match="neither ONNX"):
        training.candidate_of(House, "m", tmp_path, "notes.bin", "", "")
