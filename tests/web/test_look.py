"""The page in a real browser: charts drawn, nothing refused by the policy, no name run as code, no sideways scroll."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from gyroscope.clock import sleep
from gyroscope.notebook import compare

pytestmark = pytest.mark.peer

DRAWN = "document.querySelectorAll('[data-figure][data-drawn]').length"
WIDER_THAN_CARD = """
[...document.querySelectorAll('.figure')].filter(f => f.querySelector('.main-svg').clientWidth > f.clientWidth).length
"""
CHOOSE_AUC = """
(() => { const m = document.getElementById('metric'); m.value = 'auc'; m.dispatchEvent(new Event('change')); })()
"""
WIDTHS = (1440, 390)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_draws_its_charts_at(site, browser, tmp_path, width):
    _enter(site, browser, width)
    browser.open(f"http://{site.host}/models/flights", width)
    browser.wait_for(f"{DRAWN} === 10")
    _keep_picture(browser, tmp_path, f"page-{width}")
    assert browser.evaluate("document.querySelectorAll('.main-svg').length") >= 10
    assert browser.evaluate("document.querySelectorAll('#figure-drift .heatmaplayer image').length") == 1
    assert browser.evaluate("document.documentElement.dataset.refused || ''") == ""
    assert browser.complaints == []
    assert browser.evaluate("document.title") == "flights · Gyroscope", "a hostile name was run"
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate(WIDER_THAN_CARD) == 0, "a chart is wider than its card"


def test_hovering_prints_hostile_names_as_text(site, browser):
    _enter(site, browser, 1440)
    browser.open(f"http://{site.host}/models/flights", 1440)
    browser.wait_for(f"{DRAWN} === 10")
    said = _hover_over_every_row(browser, len(site.features))
    assert all(any(name[:18] in text for text in said) for name in site.hostile), said
    assert browser.evaluate("document.querySelectorAll('#figure-drift img, #figure-drift script').length") == 0
    assert browser.evaluate("document.title") == "flights · Gyroscope"
    assert browser.complaints == []


def test_another_metric_is_drawn_when_chosen(site, browser):
    _enter(site, browser, 1440)
    browser.open(f"http://{site.host}/models/flights", 1440)
    browser.wait_for(f"{DRAWN} === 10")
    browser.evaluate(CHOOSE_AUC)
    browser.wait_for("document.getElementById('figure-performance').textContent.includes('auc')")


@pytest.mark.parametrize("width", WIDTHS)
def test_an_incident_has_a_page_that_names_what_broke_and_what_it_explains_at(site, browser, tmp_path, width):
    _enter(site, browser, width)
    for number, incident in enumerate(site.parts.incidents.all("flights")):
        browser.open(f"http://{site.host}/incidents/{incident.id}", width)
        browser.wait_for(f"{DRAWN} === 1")
        _keep_picture(browser, tmp_path, f"incident-{number}-{width}")
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
        assert browser.evaluate(WIDER_THAN_CARD) == 0
        assert "owned" not in browser.evaluate("document.title").partition(" · ")[2]
        assert browser.complaints == []


def test_a_person_decides_on_the_page(site, browser):
    _enter(site, browser, 1440)
    one = next(one for one in site.parts.incidents.all("flights") if one.kind == "quality")
    browser.open(f"http://{site.host}/incidents/{one.id}", 1440)
    browser.wait_for(f"{DRAWN} === 1")
    assert "team</b> opened: waiting" in browser.evaluate("document.body.innerHTML")
    browser.evaluate("document.getElementById('because').value = 'the <b>feed</b>'")
    browser.evaluate("document.querySelector('[data-decision=acknowledge]').click()")
    browser.wait_for("document.body?.textContent.includes('by a person on the page: the <b>feed</b>')")
    browser.wait_for("document.querySelector('[data-decision=acknowledge]')?.disabled")
    assert site.parts.incidents.get(one.id).state == "acknowledged"
    assert browser.complaints == []


@pytest.mark.parametrize("width", WIDTHS)
def test_the_list_of_models_fits_at(site, browser, tmp_path, width):
    _enter(site, browser, width)
    browser.wait_for("document.querySelectorAll('.card').length > 0")
    _keep_picture(browser, tmp_path, f"home-{width}")
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.complaints == []


def _hover_over_every_row(browser, rows) -> list[str]:
    """What the labels of the heat map say when the mouse stands on each of its rows."""
    browser.evaluate("document.getElementById('figure-drift').scrollIntoView({block: 'center'})")
    area = "document.querySelector('#figure-drift .nsewdrag').getBoundingClientRect().toJSON()"
    box, said = browser.evaluate(area), []
    for row in range(rows):
        x, y = box["x"] + 0.41 * box["width"], box["y"] + (row + 0.5) / rows * box["height"]
        browser.tell("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        browser.wait_for("document.querySelector('#figure-drift .hoverlayer').textContent !== ''")
        sleep(0.1)  # the label follows the mouse in the next frame
        said.append(browser.evaluate("document.querySelector('#figure-drift .hoverlayer').textContent"))
    return said


def _enter(site, browser, width):
    """Open a fresh link as a person does, and be led to the start page."""
    browser.open(f"http://{site.host}/login?code={site.parts.keys.new_login_code()}", width)
    browser.wait_for("location.pathname === '/' && document.readyState === 'complete'")


def _keep_picture(browser, tmp_path: Path, name: str) -> None:
    """For people who want to look: PICTURES=folder keeps them."""
    folder = Path(os.environ.get("PICTURES", tmp_path))
    browser.picture(folder / f"{name}.png")


@pytest.mark.parametrize("width", WIDTHS)
def test_the_report_of_a_comparison_opens_from_a_disk_at(browser, tmp_path, width):
    random = np.random.default_rng(3)
    before = {"age": random.normal(40, 9, 4_000), "<b>city</b>": random.choice([*"abcdefgh"], 4_000).astype(object)}
    after = {"age": random.normal(46, 9, 3_000), "<b>city</b>": random.choice([*"abcdexyz"], 3_000).astype(object)}
    report = compare(before, after).to_html(tmp_path / "report.html")
    browser.open(report.as_uri(), width)
    browser.wait_for("document.readyState === 'complete' && document.querySelectorAll('.js-plotly-plot').length === 2")
    _keep_picture(browser, tmp_path, f"report-{width}")
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.complaints == []
