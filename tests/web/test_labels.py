"""Labels over HTTP beyond the plain case: entities, the sender's own numbers, whole numbers beyond floats."""

from __future__ import annotations

import json


def _post(site, body):
    return site.ask_as_program("/v1/labels", "POST", json.dumps(body).encode(), Content_Type="application/json")


def test_labels_of_entities_are_taken(site):
    rows = [
        {"entity_key": "ann", "value": 1, "event_time": "2013-03-01T12:00:00-05:00"},
        {"entity_key": "ann", "value": 1, "event_time": 1362157200},
        {"entity_key": "ann", "request_id": "both", "value": 1},
    ]
    said = _post(site, {"model": "flights", "labels": rows}).json
    assert (said["pending"], said["duplicate"]) == (1, 1)
    assert [one["row"] for one in said["refused"]] == [2]


def test_refused_rows_are_called_what_the_sender_calls_them(site):
    rows = [{"request_id": "n1", "value": 1}, {"request_id": "n2"}, {"request_id": "n3", "value": "maybe"}]
    said = _post(site, {"model": "flights", "labels": rows, "numbers": [11, 12, 13]}).json
    assert [one["row"] for one in said["refused"]] == [12, 13]
    assert {row[0] for row in site.parts.labels.refused("flights", 2)} == {12, 13}
    fine = [{"request_id": "n4", "value": "maybe"}]
    assert _post(site, {"model": "flights", "labels": fine, "numbers": [99]}).json["refused"][0]["row"] == 99


def test_a_number_for_each_label_or_none(site):
    answer = _post(site, {"model": "flights", "labels": [{"request_id": "n1", "value": 1}], "numbers": [1, 2]})
    assert answer.status == 422
    assert "one number for each label" in answer.text


def test_a_time_that_cannot_be_read_costs_its_row_alone(site):
    rows = [{"request_id": f"t{n}", "value": 1, "labeled_at": at} for n, at in enumerate([1.5, "noon", 1e300, -1e12])]
    said = _post(site, {"model": "flights", "labels": rows}).json
    assert [one["row"] for one in said["refused"]] == [1, 2, 3]
