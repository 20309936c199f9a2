"""`POST /v1/predictions`: rows of a model served elsewhere, checked one by one, written before the reply."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from gyroscope.models import Candidate
from gyroscope.predictions.reading.selection import Selection
from gyroscope.predictions.recording.recorder import Recorder
from gyroscope.predictions.segments.log import segment_folder
from gyroscope.predictions.tables.table import Table, table_path
from gyroscope.records import Feature, Signature
from gyroscope.web import predictions

PATH = "/v1/predictions"
JSON = {"Content_Type": "application/json"}
SIGNATURE = Signature("multiclass", (Feature("age"), Feature("plan", "string", ("basic",))), classes=("a", "b"))


@pytest.fixture(scope="module")
def scores(site):
    """A model that is served elsewhere, beside the one of this home."""
    return site.parts.models.add(Candidate("scores", "external", SIGNATURE, entry="2026-05"), 1).version


def row(number: int, **more: Any) -> dict[str, Any]:
    return {
        "request_id": f"s-{number}",
        "inputs": {"age": number, "plan": "basic"},
        "outputs": [0.25, 0.75],
        "event_time": "2026-03-01T12:00:00Z",
        **more,
    }


def post(site, rows: list[Any], model: str = "scores", **more: Any):
    body = json.dumps({"model": model, "predictions": rows, **more}).encode()
    return site.ask_as_program(PATH, "POST", body, **JSON)


def recorded(site, model: str = "scores"):
    parts = site.parts
    recorder = Recorder(parts.settings.home_path, parts.settings.runtime_path, parts.models.get, lambda _: "UTC")
    try:
        recorder.drain()
        assert recorder.failures == {}
    finally:
        recorder.close()
    return Selection(Table(table_path(parts.settings.home_path, model))).polars()


def test_rows_are_written_when_the_reply_comes(site, scores):
    answer = post(site, [row(1), row(2, inputs=[7.5, "free"], latency_ms=3, entity_key="c-7")])
    assert answer.status == 200, answer.text
    assert answer.json == {
        "received": 2, "written": 2, "logged": "os", "version": scores, "refused": [], "unknown_fields": {},
    }  # fmt: skip
    found = recorded(site).sort("request_id").filter(request_id="s-2")
    assert found.select("feature_age", "feature_plan", "output_0", "output_1", "entity_key").rows() == [
        (7.5, "free", 0.25, 0.75, "c-7")
    ]
    assert str(found["event_time"][0]) == "2026-03-01 12:00:00+00:00"


def test_a_row_that_is_sent_again_is_recorded_once(site, scores):
    assert [post(site, [row(10), row(11)]).json["written"] for _ in range(3)] == [2, 2, 2]
    assert recorded(site).filter(request_id="s-10").height == 1
    post(site, [row(10)])
    attempts = recorded(site)
    assert attempts.filter(request_id="s-10").select("attempt").rows() == [(1,)]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("text", "Expected `object`"),
        ({**row(0), "request_id": None}, "request_id"),
        ({**row(0), "inputs": [1]}, "1 inputs where the signature has 2"),
        ({**row(0), "inputs": 5}, "inputs must be an object"),
        ({**row(0), "inputs": {"age": 1}}, "the feature 'plan' is missing"),
        ({**row(0), "inputs": {"age": "x", "plan": None}}, "'age' must be a number"),
        ({**row(0), "outputs": [0.5]}, "1 outputs where the signature has 2"),
        ({**row(0), "outputs": [0.5, 7]}, "no probability"),
        ({**row(0), "outputs": None}, "output 0 is missing"),
        ({**row(0), "event_time": "soon"}, "no event_time"),
        ({**row(0), "variant": "best"}, "variant must be"),
    ],
)
def test_a_bad_row_is_named_and_the_others_are_kept(site, scores, broken, reason):
    answer = post(site, [row(20), broken, row(21)])
    assert answer.status == 200, answer.text
    assert (answer.json["received"], answer.json["written"]) == (3, 2)
    assert [one["row"] for one in answer.json["refused"]] == [1]
    assert reason in answer.json["refused"][0]["reason"]


def test_unknown_fields_are_left_out_and_counted(site, scores):
    odd = row(30, color="red", inputs={"age": 1, "plan": None, "ssn": "1-2-3"})
    answer = post(site, [odd, {**odd, "request_id": "s-31"}, row(32)])
    assert (answer.json["written"], answer.json["unknown_fields"]) == (3, {"color": 2, "inputs.ssn": 2})
    assert not [name for name in recorded(site).columns if "ssn" in name or "color" in name]


def test_a_failure_is_recorded_with_its_reason(site, scores):
    failed = {"request_id": "s-40", "status": 500, "error": "it broke", "outputs": None}
    assert post(site, [failed]).json["written"] == 1
    found = recorded(site).filter(request_id="s-40")
    assert found.select("status", "error", "output_0").rows() == [(500, "it broke", None)]


def test_a_version_is_chosen_by_its_name_elsewhere(site, scores):
    assert post(site, [row(50)], version="2026-05").json["version"] == scores
    assert post(site, [row(51)], version=scores).json["version"] == scores
    answer = post(site, [row(52)], version="2026-06")
    assert (answer.status, "did you mean '2026-05'" in answer.json["fix"]) == (404, True)


def test_without_room_nobody_is_told_that_it_was_written(site, scores, monkeypatch):
    monkeypatch.setattr(predictions, "PATIENCE_S", 0.1)
    folder = segment_folder(site.parts.settings.runtime_path, "scores")
    full = folder / f"scores-{scores}-i{os.getpid()}-0000000000000001.seg"
    folder.mkdir(parents=True, exist_ok=True)
    full.touch()
    os.truncate(full, 2**30)  # takes no room, and is taken for a gibibyte that nobody has drained
    try:
        answer = post(site, [row(60)])
    finally:
        full.unlink()
    assert (answer.status, "cap of" in answer.json["error"]) == (503, True), answer.text
    assert "nothing doubles" in answer.json["fix"]
    assert str(folder) not in answer.text
    assert post(site, [row(60)]).json["written"] == 1
    assert recorded(site).filter(request_id="s-60").height == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 422),
        (b'{"model": "scores"}', 422),
        (b'{"model": "scores", "predictions": [], "more": 1}', 422),
        (b'{"model": "nobody", "predictions": []}', 404),
        (b'{"model": "scores", "predictions": []}', 200),
    ],
)
def test_a_body_that_is_none_is_refused(site, scores, body: bytes, status: int):
    assert site.ask_as_program(PATH, "POST", body, **JSON).status == status


def test_it_takes_a_key_plain_json_and_no_more_than_the_cap(site, scores):
    assert site.ask(PATH, "POST", b"{}", {"Content-Type": "application/json"}).status == 401
    assert site.ask_as_program(PATH, "POST", b"{}", Content_Type="text/csv").status == 415
    assert site.ask_as_program(PATH, "POST", b" " * (9 * 1_048_576), **JSON).status == 413
    assert site.ask_as_program(PATH).status == 405
