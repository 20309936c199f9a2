"""The commands about monitors on a home without predictions; what they say of a history is tested beside the judge."""

from __future__ import annotations

import pytest
from tests.monitoring.parts import keep_segments

from gyroscope.assembly import House
from gyroscope.cli.monitor.show import _tell
from gyroscope.clock import EventTime
from gyroscope.monitoring.judging.watched import Watched
from gyroscope.reports.figures.segments import segment_differences
from gyroscope.reports.html import figure_json

CODE = """\
class Churn:
    def predict(self, matrix, columns):
        return matrix[:, 0] * 0
"""


@pytest.fixture
def shop(gyro, here):
    assert gyro("init").code == 0
    (here / "signature.yaml").write_text("task: binary\nfeatures:\n  - {name: age, dtype: float64}\n")
    (here / "churn.py").write_text(CODE)
    assert gyro("models", "add", "churn", "churn.py:Churn", "--signature", "signature.yaml").code == 0
    return here


def test_a_model_without_a_reference_says_what_it_waits_for(gyro, shop):
    told = gyro("monitor", "show", "churn").out
    assert "affordable: 1 per 30d false pages" in told
    assert "not judged yet: " in told
    assert gyro("monitor", "show", "churn", "--json").json == []


def test_segments_are_shown_with_their_difference_to_the_rest(gyro, shop):
    path = shop / "gyroscope.yaml"
    path.write_text("models:\n  churn:\n    monitor:\n      segments: [plan, age]\n")
    before = gyro("monitor", "show", "churn")
    assert before.code == 0, before.err
    assert "by segment" not in before.out
    (database,) = shop.rglob("monitoring.db")
    version = gyro("models", "show", "churn", "--json").json["version"]["version"]
    keep_segments(database, "churn", version, ("plan=new", "plan=old"), EventTime(0))
    told = gyro("monitor", "show", "churn").out
    assert f"brier of {version} by segment" in told
    (new, old) = [line for line in told.splitlines() if "plan=" in line]
    assert new.split()[:2] == ["plan=new", "6,000"]
    assert float(new.split()[2]) < float(old.split()[2])
    assert float(new.split()[3]) == -float(old.split()[3]) < 0
    keep_segments(database, "churn", version, ("age=1", "plan=old"), EventTime(0), days=3)
    told = gyro("monitor", "show", "churn").out
    assert any("age=1" in line and "of both segments are needed" in line for line in told.splitlines())


def test_the_report_of_segments_has_the_figure_of_the_page(gyro, shop):
    (shop / "gyroscope.yaml").write_text("models:\n  churn:\n    monitor:\n      segments: [plan]\n")
    out = shop / "segments.html"
    assert gyro("monitor", "show", "churn", "-o", str(out)).code == 0
    assert "No column is named" in out.read_text()
    (database,) = shop.rglob("monitoring.db")
    version = gyro("models", "show", "churn", "--json").json["version"]["version"]
    keep_segments(database, "churn", version, ("plan=<b>", "plan=old"), EventTime(0))
    assert gyro("monitor", "show", "churn", "-o", str(out)).code == 0
    text = out.read_text()
    assert "plan=&lt;b&gt;" in text
    assert "plan=<b>" not in text
    assert text.count("data-figure=") == 3
    house = House(shop / "gyroscope.yaml")
    found = house.monitor.segments("churn", version)
    for metric in ("brier", "recall", "false_positive_rate"):
        drawn = segment_differences(metric, [(one.name, one.differences[metric]) for one in found])
        assert figure_json(drawn) in text
        low, high = found[0].differences[metric].low, found[0].differences[metric].high
        assert f"{low:+.3f} to {high:+.3f}" in text
    assert gyro("monitor", "show", "churn", "-o", str(shop / "none" / "x.html")).code == 2


def test_what_was_called_noise_is_named_with_what_is_left_of_its_budget(capsys):
    _tell(Watched("v", "performance", 9, 1, 0.1, (), (), {}, 0.21, ("performance:brier",)))
    assert "less weight: performance:brier; the family has 0.21 of the budget" in capsys.readouterr().out


def test_a_rehearsal_of_nothing_pages_nothing(gyro, shop):
    ended = gyro("monitor", "rehearse", "churn", "--false-alarms", "2 per 7d")
    assert (ended.code, ended.out) == (0, "2 per 7d: 0 pages in 0 judged days\n")
    assert gyro("monitor", "rehearse", "churn").out.count("pages in 0 judged days") == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("monitor", "rehearse", "churn", "--false-alarms", "seldom"), "'seldom' is no rate"),
        (("monitor", "show", "chrun"), "churn"),
    ],
)
def test_what_is_wrong_is_named(gyro, shop, words, said):
    ended = gyro(*words)
    assert ended.code == 2
    assert said in ended.err
