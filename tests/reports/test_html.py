"""The report: whole in one file, closed to the network, everything given to it is text."""

from __future__ import annotations

import base64
import hashlib
import json
import re

import plotly.graph_objects as go
import pytest

from gyroscope.errors import StoreError
from gyroscope.reports.html import Section, Table, figure_json, self_contained_html, write_html

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\u2028"


@pytest.fixture(scope="module")
def report() -> str:
    figure = go.Figure(go.Scatter(x=[1], y=[2], name=HOSTILE), layout={"title": {"text": HOSTILE}})
    table = Table((HOSTILE, "n"), ((HOSTILE, "1"),))
    return self_contained_html(HOSTILE, [Section(HOSTILE, HOSTILE, figure, HOSTILE, table)], HOSTILE)


def _without_scripts(report: str) -> str:
    return re.sub(r"<script>.*?</script>", "", report, flags=re.DOTALL)


def test_what_is_given_is_escaped_everywhere(report):
    text = _without_scripts(report)
    assert "alert(1)" in text
    assert "<img" not in text and "<script>alert" not in report


def test_the_figure_survives_the_escaping(report):
    data = re.search(r'<script type="application/json" id="figure-1">(.*?)</script>', report, re.DOTALL)
    assert data is not None
    assert json.loads(data[1])["layout"]["title"]["text"] == HOSTILE


def test_it_asks_nothing_of_the_network(report):
    text = _without_scripts(report)
    assert not re.search(r"https?://|//[a-z]", re.sub(r"<script type.*?</script>", "", text, flags=re.DOTALL))
    assert "default-src &#39;none&#39;" in text and "connect-src" not in text


def test_only_the_scripts_that_it_names_may_run(report):
    scripts = re.findall(r"<script>(.*?)</script>", report, flags=re.DOTALL)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', report)
    assert len(scripts) == 2 and policy is not None
    for script in scripts:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"sha256-{digest}" in policy[1].replace("&#39;", "'").replace("&#43;", "+")


def test_words_alone_need_no_plotly():
    report = self_contained_html("t", [Section("a", table=Table(("x",), (("1",),)))])
    assert len(report) < 20_000 and "<script>" not in report


def test_figure_json_can_stand_in_a_page():
    assert not set("<>&\u2028\u2029") & set(figure_json(go.Figure(layout={"title": {"text": HOSTILE}})))


def test_a_report_is_written_whole_or_not_at_all(tmp_path):
    write_html(tmp_path / "a.html", "one")
    write_html(tmp_path / "a.html", "two")
    assert [path.name for path in tmp_path.iterdir()] == ["a.html"]
    with pytest.raises(StoreError, match="cannot be written"):
        write_html(tmp_path / "missing" / "a.html", "x")
