"""The calls for programs on the real application: labels with row numbers, caps, signals, scrape, figures, pages."""

from __future__ import annotations

import gzip
import http.client
import json
import shutil
import subprocess

import pytest

from gyroscope.clock import EventTime
from gyroscope.records import Signal

JSON = {"Content_Type": "application/json"}


def _post(site, body, **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return site.ask_as_program("/v1/labels", "POST", raw, **{**JSON, **headers})


def test_labels_are_kept_or_refused_with_their_row(site):
    rows = [
        {"request_id": "a", "value": 1},
        {"request_id": "b", "value": "yes"},
        {"request_id": "c"},
        {"request_id": "d", "value": 0, "labeled_at": "2013-03-01T12:00:00-05:00"},
        {"request_id": "e", "value": 1, "labeled_at": "yesterday"},
        {"request_id": "f", "value": True, "row": -1},
        {"request_id": "g", "value": [1]},
        {"request_id": "h", "value": 1, "colour": "<b>"},
        7,
        {"request_id": "i", "value": 1, "row": 10**30},
        {"request_id": "a", "value": 1},
    ]
    before = site.parts.labels.counts("flights")
    answer = _post(site, {"model": "flights", "labels": rows})
    assert answer.status == 200, answer.text
    said = answer.json
    assert said["received"] == len(rows)
    assert [one["row"] for one in said["refused"]] == [1, 2, 4, 5, 6, 7, 8, 9]
    assert all(one["reason"] for one in said["refused"])
    states = ("joined", "pending", "quarantined", "duplicate", "superseded")
    assert sum(said[state] for state in states) + len(said["refused"]) == len(rows)
    assert said["duplicate"] == 1 and said["pending"] == 2
    after = site.parts.labels.counts("flights")
    assert sum(after.values()) - sum(before.values()) == len(rows), "what was received balances with what is counted"
    assert after["refused"] - before["refused"] == len(said["refused"])
    kept = {position: text for position, text, _ in site.parts.labels.refused("flights")}
    assert kept[8] == "7" and kept[7].endswith('"<b>"}')


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"", 400),
        (b"[]", 422),
        (b'{"labels": []}', 422),
        (b'{"model": "flights", "labels": {}}', 422),
        (b'{"model": "flights", "labels": [], "more": 1}', 422),
        (b'{"model": "fligths", "labels": []}', 404),
        (b'{"model": "../keys", "labels": []}', 404),
        (b"[" * 100_000, 422),
        (b'{"model": "flights", "labels": ' + b"[" * 100_000, 400),
    ],
)
def test_bad_bodies_are_refused(site, body, status):
    answer = _post(site, body)
    assert answer.status == status, answer.text
    assert set(answer.json) >= {"error"}


def test_only_plain_json_is_read(site):
    body = b'{"model": "flights", "labels": []}'
    assert _post(site, body, Content_Type="text/plain").status == 415
    assert _post(site, gzip.compress(body), Content_Encoding="gzip").status == 415
    assert _post(site, body, Content_Type="application/json; charset=utf-8").status == 200


def test_a_body_over_the_cap_is_refused_whether_announced_or_not(site):
    big = b'{"model": "flights", "labels": [' + b" " * 9_000_000 + b"]}"
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)
    connection.putrequest("POST", "/v1/labels")
    for name, value in {"Authorization": f"Bearer {site.first.api_key}", "Content-Type": "application/json"}.items():
        connection.putheader(name, value)
    connection.putheader("Content-Length", str(len(big)))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()
    chunked = http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)
    pieces = (big[at : at + 65_536] for at in range(0, len(big), 65_536))
    headers = {"Authorization": f"Bearer {site.first.api_key}", "Content-Type": "application/json"}
    try:
        chunked.request("POST", "/v1/labels", pieces, headers, encode_chunked=True)
        status = chunked.getresponse().status
    except (BrokenPipeError, ConnectionResetError):
        status = 413  # hung up on while it was still sending
    chunked.close()
    assert status == 413


def test_signals_by_name_labels_and_time(site):
    names = site.ask_as_program("/v1/signals").json["names"]
    assert {"performance", "drift", "requests_per_s"} <= set(names)
    found = site.ask_as_program("/v1/signals?name=performance&model=flights&metric=brier&end=2013-03-11").json["points"]
    assert len(found) == 10
    assert found[0]["labels"]["metric"] == "brier" and found[0]["n"] == 900 and found[0]["low"] < found[0]["value"]
    unknown = site.ask_as_program("/v1/signals?name=performance&metric=brier&start=2013-03-30&end=2013-03-31").json
    assert unknown["points"][0]["value"] is None and "30 are needed" in unknown["points"][0]["reason"]
    assert site.ask_as_program("/v1/signals?name=drift&start=never").status == 422


def test_status_names_models_and_what_is_wanted(site):
    said = site.ask_as_program("/v1/status").json
    assert said["running"] is False
    assert said["models"][0]["name"] == "flights" and said["models"][0]["replicas_wanted"] == 2


def test_a_scrape_has_counters_and_the_newest_signals(site):
    answer = site.ask_as_program("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    version = site.parts.models.versions("flights")[0].version
    of = f'model="flights",version="{version}",replica="0"'
    assert f'gyroscope_requests_total{{{of},code="2xx"}} 7' in lines
    assert f'gyroscope_request_duration_seconds_bucket{{{of},le="0.003"}} 1' in lines
    assert 'gyroscope_replicas{model="flights",state="wanted"} 2' in lines
    assert any(line.startswith('gyroscope_model_quality{metric="brier"') for line in lines) is False, (
        "newest is unknown"
    )
    assert any(line.startswith('gyroscope_drift_score{feature="carrier"') for line in lines)


def test_a_scrape_leaves_out_versions_without_a_route(site):
    old = (("column", "carrier"), ("model", "flights"), ("version", "000000000000"))
    site.parts.signals.put([Signal("drift", EventTime(0), 0.9, old)])
    assert "000000000000" not in site.ask_as_program("/metrics").text


@pytest.mark.peer
def test_promtool_accepts_a_scrape_with_hostile_names(site):
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed (Debian: apt-get install prometheus)")
    scrape = site.ask_as_program("/metrics").body
    ended = subprocess.run(["promtool", "check", "metrics"], input=scrape, capture_output=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("name", ["performance", "drift", "predictions", "traffic"])
def test_figures_come_with_a_tag_and_are_not_sent_twice(site, name):
    path = f"/models/flights/figures/{name}.json"
    answer = site.ask_as_program(path)
    assert answer.status == 200 and answer.json["data"]
    again = site.ask_as_program(path, If_None_Match=answer.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert b"<" not in answer.body, "a figure may stand in a page"


@pytest.mark.parametrize(
    "path",
    ["/models/nobody", "/models/flights/figures/nothing.json", "/models/flights/figures/performance.json?metric=x"],
)
def test_what_is_not_there_is_said_with_a_near_word(site, path):
    answer = site.ask_as_program(path)
    assert answer.status == 404 and "known:" in answer.json["fix"]


def test_hostile_names_are_text_in_pages(site):
    pages = [site.ask("/", headers=site.sign_in()), site.ask("/models/flights", headers=site.sign_in())]
    for answer in pages:
        assert answer.status == 200 and answer.headers["content-type"].startswith("text/html")
        for name in site.hostile:
            if "<" in name:
                assert name not in answer.text
    assert "&lt;script&gt;document.title=&#39;owned&#39;&lt;/script&gt;" in pages[1].text, "the event of the supervisor"
    assert "<script>" not in pages[1].text, "no inline script"


def test_the_page_says_its_numbers_without_pictures(site):
    text = site.ask("/models/flights", headers=site.sign_in()).text
    assert "<noscript>" in text and "not enough data" in text and "2013-05-28" in text
    assert text.count('role="img" aria-label=') == 10


def test_plotly_comes_from_the_installed_package_zipped_and_once(site):
    plain = site.ask_as_program("/static/plotly.min.js")
    zipped = site.ask_as_program("/static/plotly.min.js", Accept_Encoding="gzip")
    assert zipped.headers["content-encoding"] == "gzip" and len(zipped.body) < len(plain.body) / 2
    assert gzip.decompress(zipped.body) == plain.body and b"plotly.js v" in plain.body[:200]
    assert site.ask_as_program("/static/plotly.min.js", If_None_Match=plain.headers["etag"]).status == 304


def test_people_and_programs_decide_and_the_journal_says_who(site):
    one = next(one for one in site.parts.incidents.all() if one.kind == "input")
    path = f"/v1/incidents/{one.id}"

    def decide(body, **headers):
        return site.ask_as_program(path, "POST", json.dumps(body).encode(), Content_Type="application/json", **headers)

    assert decide({"decision": "acknowledge", "because": "on it"}).json["incident"]["state"] == "acknowledged"
    assert decide({"decision": "snooze", "until": "2d"}).json["incident"]["snoozed_until"] > 0
    assert decide({"decision": "snooze", "until": "soon"}).status == 422
    assert decide({"decision": "acknowledge"}).status == 200
    assert decide({"decision": "shrug"}).status == 422
    page = site.ask(f"/incidents/{one.id}", headers=site.sign_in()).text
    assert "acknowledged, for information" in page
    assert "acknowledged</b> by a program: on it" in page
    person = {**site.sign_in(), "Content-Type": "application/json", "Origin": f"http://{site.host}"}
    body = b'{"decision": "noise"}'
    assert site.ask(path, "POST", body, {**person, "Origin": "http://evil.example"}).status == 403
    assert site.ask(path, "POST", body, person).json["incident"]["state"] == "noise"
    assert decide({"decision": "acknowledge"}).status == 409
    assert [(act.action, act.reason) for act in site.parts.journal.newest("incidents")] == [
        ("noise", "no reason given"), ("snooze", "no reason given"), ("acknowledge", "on it"),
    ]  # fmt: skip
    assert site.ask_as_program("/v1/incidents/flights-0", "POST", body, Content_Type="application/json").status == 404


def test_incidents_are_listed_for_programs_and_on_the_page_the_most_harmful_first(site):
    found = site.ask_as_program("/v1/incidents?model=flights").json["incidents"]
    assert [(one["kind"], one["state"]) for one in found] == [
        ("quality", "open"), ("performance", "closed"), ("input", "noise"),
    ]  # fmt: skip
    text = site.ask("/models/flights", headers=site.sign_in()).text
    assert "about 410 rows a day" in text
    assert "0 called noise in 30 days; affordable: 1 per 30d" in text
    page = site.ask(f"/incidents/{found[0]['id']}", headers=site.sign_in()).text
    assert "<b>performance</b> brier is not what it was" in page
    assert "0.31 to 0.53" in page
    assert "<script>document.title" not in page
    assert site.ask_as_program("/v1/incidents?model=flihgts").status == 404
    assert site.ask("/incidents/flights-0", headers=site.sign_in()).status == 404
