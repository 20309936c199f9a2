"""Bad requests through the real door: each refused with the path of its fault, and recorded where it got in."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from tests.journeys.own import PATH, Own, call, started, until

pytestmark = pytest.mark.journey

SIGNATURE = """
task: regression
output: minutes
features:
  - {name: distance, nullable: false}
  - {name: seats, dtype: int64, nullable: true}
  - {name: carrier, dtype: string, categories: [AA, UA], nullable: false}
"""
CODE = """
class Model:
    def predict(self, matrix, columns):
        return matrix[:, 0] * 2
"""
INFER = "/v2/models/odd/infer"
SPLIT = '{"dataframe_split":{"columns":["distance","seats","carrier"],"data":[%s]}}'


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    with started(tmp_path_factory.mktemp("bad"), SIGNATURE, CODE, serving={"body_mib": 1}) as own:
        yield own


def tensors(**changed: object) -> str:
    """A right V2 body, but for what is changed in its first tensor."""
    distance = {"name": "distance", "datatype": "FP64", "shape": [1], "data": [7.0], **changed}
    seats = {"name": "seats", "datatype": "INT64", "shape": [1], "data": [180]}
    carrier = {"name": "carrier", "datatype": "BYTES", "shape": [1], "data": ["AA"]}
    return json.dumps({"inputs": [distance, seats, carrier]})


V2_FAULTS = {
    "malformed": ('{"inputs": [', 400, "malformed JSON"),
    "not utf-8": ("\udcff{}", 400, "malformed JSON"),
    "nan": (tensors().replace("7.0", "NaN"), 400, "malformed JSON"),
    "null": (tensors().replace("7.0", "null"), 422, "inputs[0].data[0]"),
    "type": (tensors(data=["7"]), 422, "inputs[0].data[0]"),
    "dtype": (tensors(datatype="FP46"), 422, "inputs[0].datatype"),
    "shape": (tensors(shape=[2]), 422, "inputs[0].data"),
    "other shape": (tensors(shape=[1, 3]), 422, "inputs[0].shape"),
    "name": (tensors(name="distanse"), 422, "inputs[0].name"),
    "twice": (tensors(name="seats", datatype="INT64", data=[7]), 422, "inputs[1].name"),
    "no inputs": ('{"id": "x"}', 422, "inputs"),
    "fraction": (tensors().replace("180", "180.5"), 422, "inputs[1].data[0]"),
}
MLFLOW_FAULTS = {
    "malformed": ("{", 400, "malformed JSON"),
    "null": (SPLIT % '[null,180,"AA"]', 400, "dataframe_split.data[0][0]"),
    "nan": (SPLIT % '[NaN,180,"AA"]', 400, "malformed JSON"),
    "type": (SPLIT % '[1.5,"180","AA"]', 400, "dataframe_split.data[0][1]"),
    "short row": (SPLIT % "[1.5,180]", 400, "dataframe_split.data[0]"),
    "second row": (SPLIT % '[1.5,180,"AA"],[1.5,180,7]', 400, "dataframe_split.data[1][2]"),
    "name": (SPLIT.replace("carrier", "carier") % '[1,2,"AA"]', 400, "dataframe_split.columns[2]"),
    "two forms": ('{"instances":[],"inputs":[]}', 400, "instances and inputs"),
    "key": ('{"dataframe_spilt":{}}', 400, "did you mean 'dataframe_split'"),
    "no rows": (SPLIT % "", 400, "dataframe_split.data"),
}


def test_a_fault_in_v2_is_named_by_its_path_and_recorded(own: Own) -> None:
    for name, (body, status, path) in V2_FAULTS.items():
        answer = own.post(INFER, body.encode("utf-8", "surrogateescape"), {"X-Request-Id": f"v2 {name}"})
        assert answer.status == status, (name, answer)
        assert path in answer.said["error"], (name, answer.text)
        assert answer.headers["x-request-id"] == f"v2 {name}"
        assert answer.headers["x-logged"] == "os"
    good = own.post(INFER, tensors().encode(), {"X-Request-Id": "v2 good"})
    assert (good.status, good.said["outputs"][0]["data"]) == (200, [14.0])
    in_table(own, {f"v2 {name}": (status, path) for name, (_, status, path) in V2_FAULTS.items()})


def test_a_fault_in_mlflow_is_named_by_its_path_and_recorded(own: Own) -> None:
    for name, (body, status, path) in MLFLOW_FAULTS.items():
        answer = own.post(PATH, body.encode(), {"X-Request-Id": f"mlflow {name}"})
        assert answer.status == status, (name, answer)
        assert answer.said["error_code"] == "BAD_REQUEST"
        assert path in answer.said["message"], (name, answer.text)
    in_table(own, {f"mlflow {name}": (status, path) for name, (_, status, path) in MLFLOW_FAULTS.items()})


def in_table(own: Own, wanted: dict[str, tuple[int, str]]) -> None:
    """Each refusal is one answered row, with its status and what was said."""
    own.recorded(set(wanted))
    rows = own.rows("request_id, status, error, answered, output_0", f"request_id IN {(*wanted, '')}")
    assert len(rows) == len(wanted)
    for name, status, error, answered, output in rows:
        assert (status, answered, output) == (wanted[name][0], True, None)
        assert wanted[name][1] in error


@pytest.mark.parametrize(
    ("headers", "status", "where"),
    [
        ({"Content-Type": "text/csv"}, 415, "Content-Type"),
        ({"Content-Encoding": "gzip"}, 415, "Content-Encoding"),
        ({"X-Event-Time": "yesterday"}, 400, "X-Event-Time"),
        ({"X-Request-Timeout-Ms": "soon"}, 400, "X-Request-Timeout-Ms"),
        ({"X-Entity-Key": "k" * 129}, 400, "X-Entity-Key"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_a_fault_in_a_header_is_named(own: Own, headers: dict[str, str], status: int, where: str) -> None:
    answer = own.post(INFER, tensors().encode(), headers)
    assert (answer.status, answer.said["error"].partition(":")[0]) == (status, where)


def test_a_body_over_the_limit_is_413_and_the_door_goes_on(own: Own) -> None:
    row = '[1.5,180,"AA"],'
    large = (SPLIT % (row * (1_048_576 // len(row)) + row[:-1])).encode()
    assert len(large) > 1_048_576
    answer = own.post(PATH, large, {"X-Request-Id": "large"})
    assert answer.status == 413
    assert "1048576" in answer.said["error"]
    assert own.ask(1.5, 180, "AA").status == 200
    too_many = (SPLIT % ",".join(['[1,2,"A"]'] * 10_001)).encode()
    assert len(too_many) < 1_048_576
    answer = own.post(PATH, too_many)
    assert (answer.status, "10,000" in answer.text) == (413, True)


def test_without_the_key_nothing_is_answered_and_nothing_recorded(own: Own) -> None:
    for path in (INFER, PATH, "/v1/labels", "/metrics"):
        for key in ("", "Bearer", "Bearer wrong", "Basic d3Jvbmc6", "Bearer " + "x" * 5_000):
            method, body = ("GET", b"") if path == "/metrics" else ("POST", tensors().encode())
            headers = {"Content-Type": "application/json", "X-Request-Id": "stranger"}
            answer = call(own.port, method, path, body, {**headers, "Authorization": key} if key else headers)
            assert (answer.status, bool(answer.said)) == (401, True), (path, key[:20])
    # A segment is drained in its order: when later requests of both replicas are there, the strangers' would be too.
    later = {own.ask(1.0, 1, "AA").headers["x-request-id"] for _ in range(12)}
    own.recorded(later)
    assert not own.rows("1", "request_id = 'stranger'")


def test_unknown_models_and_paths_are_404_in_words(own: Own) -> None:
    for path in ("/v2/models/od/infer", "/models/od/invocations", "/v2/models/odd/versions/none/infer", "/v3"):
        answer = own.post(path, tensors().encode())
        assert answer.status == 404, (path, answer)
        assert answer.said
    assert own.post("/v2/models/od/infer", b"{}").said["error"].startswith("no such model")


def test_one_id_for_two_inputs_is_answered_twice_and_flagged(own: Own) -> None:
    assert own.ask(1.0, 1, "AA", request_id="doubled").said["predictions"] == [2.0]
    assert own.ask(3.0, 1, "AA", request_id="doubled").said["predictions"] == [6.0]
    for _ in range(2):
        assert own.ask(5.0, 1, "AA", request_id="again").said["predictions"] == [10.0]
    # Of attempts that come in different commits the flags of the earlier ones follow in the next.
    twice, again = [(2.0, True, True), (6.0, True, True)], [(False, False), (True, False)]
    doubled = "output_0, answered, id_conflict", "request_id = 'doubled'"
    until(lambda: sorted(own.rows(*doubled)) == twice, "both answers stand, in conflict")
    until(lambda: sorted(own.rows("answered, id_conflict", "request_id = 'again'")) == again, "the last attempt stands")
