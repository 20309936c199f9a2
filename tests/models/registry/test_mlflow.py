"""What an MLflow server may answer, good and bad; a real one is asked in tests/peers/test_mlflow_registry.py."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gyroscope.errors import ModelError, StoreError
from gyroscope.models.registry import mlflow
from gyroscope.models.registry.mlflow import Mlflow, Registered

ONE = Registered("churn", "1")
API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
PLACE = {"artifact_uri": "mlflow-artifacts:/0/models/m-1/artifacts"}
MLMODEL = b"flavors: {lightgbm: {data: model.lgb}, python_function: {data: model.lgb}}"


class Server:
    """Answers what it was given by path, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes, dict[str, str]]] = {}
        self.asked: list[tuple[str, str, bytes, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                path = self.path.partition("?")[0]
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.asked.append((self.command, self.path, body, self.headers.get("Authorization", "")))
                status, content, headers = outer.answers.get(path, (404, b'{"error_code": "NOT_THERE"}', {}))
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = answer  # noqa: N815  # what the library calls

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self.http.server_port}"

    def says(self, path: str, content: object, status: int = 200, **headers: str) -> None:
        told = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.answers[path] = (status, told, headers)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever)
    thread.start()
    yield server
    server.http.shutdown()
    server.http.server_close()
    thread.join()


def test_a_version_is_found_by_alias_and_by_number_and_its_file_is_fetched(server, tmp_path):
    server.says(f"{API}/registered-models/alias", {"model_version": {"version": "3"}})
    server.says(f"{API}/model-versions/get", {"model_version": {"version": "1"}})
    server.says(f"{API}/model-versions/get-download-uri", PLACE)
    server.says(f"{FILES}/0/models/m-1/artifacts/MLmodel", MLMODEL)
    server.says(f"{FILES}/0/models/m-1/artifacts/model.lgb", b"tree\n")
    asking = Mlflow(server.uri + "/", "ann:secret")
    assert asking.find("models:/churn@challenger") == Registered("churn", "3")
    assert asking.find("models:/churn/1") == ONE
    assert asking.fetch(ONE, tmp_path).read_bytes() == b"tree\n"
    assert {authorization for *_, authorization in server.asked} == {"Basic YW5uOnNlY3JldA=="}


def test_aliases_and_tags_are_set_and_an_alias_that_is_gone_may_go_again(server):
    server.says(f"{API}/registered-models/alias", {})
    server.says(f"{API}/model-versions/set-tag", {})
    asking = Mlflow(server.uri)
    asking.set_alias(ONE, "champion")
    asking.set_tag(ONE, "gyroscope.verdict", "promoted")
    asking.drop_alias("churn", "challenger")
    assert [(method, json.loads(body)) for method, _, body, _ in server.asked] == [
        ("POST", {"name": "churn", "alias": "champion", "version": "1"}),
        ("POST", {"name": "churn", "version": "1", "key": "gyroscope.verdict", "value": "promoted"}),
        ("DELETE", {"name": "churn", "alias": "challenger"}),
    ]
    server.answers.clear()
    asking.drop_alias("churn", "challenger")
    with pytest.raises(StoreError, match="404"):
        asking.set_alias(ONE, "champion")


@pytest.mark.parametrize("source", ["models:/churn", "models:/a/b/c", "models:/churn@", "models:/churn/x", "churn@new"])
def test_other_words_are_no_source(source):
    with pytest.raises(ModelError, match="no version of a registered model"):
        Mlflow("http://127.0.0.1:9").find(source)


def test_whoever_does_not_answer_as_mlflow_is_said_so(server, monkeypatch):
    asking, path = Mlflow(server.uri), f"{API}/model-versions/get"
    for content, status, headers, why in (
        (b"<html>", 200, {}, "no JSON"),
        (b"[1]", 200, {}, "no JSON object"),
        (b"wait", 500, {}, "status 500, wait"),
        (b"", 302, {"Location": "http://127.0.0.1:9/"}, "status 302"),
        (b"who?", 401, {}, "status 401"),
        (b"x" * 9, 200, {"Content-Length": "99"}, "broke off 90 bytes"),
    ):
        server.says(path, content, status, **headers)
        with pytest.raises(StoreError, match=why) as refused:
            asking.find("models:/churn/1")
        assert refused.value.fix
    monkeypatch.setattr(mlflow, "MOST_BYTES", 3)
    server.says(path, {"model_version": {"version": "1"}})
    with pytest.raises(StoreError, match="larger than 3"):
        asking.find("models:/churn/1")
    with pytest.raises(StoreError, match="does not answer"):
        Mlflow("http://127.0.0.1:9").find("models:/churn/1")


def test_artifacts_that_cannot_be_had_are_refused_with_a_way_out(server, tmp_path):
    asking, shared = Mlflow(server.uri), tmp_path / "shared"
    shared.mkdir()
    (shared / "model.lgb").write_bytes(b"tree\n")

    def fetched(place: str, mlmodel: bytes) -> bytes:
        (shared / "MLmodel").write_bytes(mlmodel)
        server.says(f"{API}/model-versions/get-download-uri", {"artifact_uri": place})
        return asking.fetch(ONE, tmp_path).read_bytes()

    assert fetched(shared.as_uri(), MLMODEL) == b"tree\n"
    for place, mlmodel, why in (
        ("s3://bucket/model", MLMODEL, "s3:// are not read"),
        (shared.as_uri(), b"flavors: {lightgbm: {data: other.lgb}}", "cannot be read"),
        (shared.as_uri(), b"flavors: {lightgbm: {data: ../../etc/passwd}}", "outside of it"),
        (shared.as_uri(), b"flavors: {lightgbm: {data: /etc/passwd}}", "outside of it"),
        (shared.as_uri(), b"flavors: {pytorch: {}}", "no file of this model"),
        (shared.as_uri(), b"flavors: [", "no file of this model"),
        (shared.as_uri(), b"nothing", "no file of this model"),
    ):
        with pytest.raises((ModelError, StoreError), match=why) as refused:
            fetched(place, mlmodel)
        assert refused.value.fix
