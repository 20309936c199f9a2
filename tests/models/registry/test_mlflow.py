"""What an MLflow server may answer, good and bad; a real one is asked in tests/peers/test_mlflow_registry.py."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from tests.models.registry.answering import Server, answering

from gyroscope.errors import ModelError, StoreError
from gyroscope.models.registry import mlflow
from gyroscope.models.registry.mlflow import Mlflow, Registered

ONE = Registered("churn", "1")
API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
PLACE = {"artifact_uri": "mlflow-artifacts:/0/models/m-1/artifacts"}
MLMODEL = b"flavors: {lightgbm: {data: model.lgb}, python_function: {data: model.lgb}}"


@pytest.fixture
def server() -> Iterator[Server]:
    with answering() as server:
        yield server


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


def test_aliases_and_tags_are_set_and_nothing_is_said_of_what_is_gone(server, caplog):
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
    for say in (
        lambda: asking.drop_alias("churn", "challenger"),
        lambda: asking.set_alias(ONE, "champion"),
        lambda: asking.set_tag(ONE, "gyroscope.verdict", "promoted"),
    ):
        server.answers.clear()
        caplog.clear()
        say()
        assert "the registry has no churn any more" in caplog.text
        for path in ("registered-models/alias", "model-versions/set-tag"):
            server.says(f"{API}/{path}", b"no backend", 404)
        with pytest.raises(StoreError, match="404, no backend"):
            say()


@pytest.mark.parametrize("source", ["models:/churn", "models:/a/b/c", "models:/churn@", "models:/churn/x", "churn@new"])
def test_other_words_are_no_source(source):
    with pytest.raises(ModelError, match="no version of a registered model"):
        Mlflow("http://127.0.0.1:9").find(source)


def test_an_alias_names_a_version_or_none(server):
    aliases = [{"alias": "champion", "version": "1"}, {"alias": "next", "version": 4}]
    server.says(f"{API}/registered-models/get", {"registered_model": {"name": "churn", "aliases": aliases}})
    asking = Mlflow(server.uri)
    assert asking.named("churn", "next") == Registered("churn", "4")
    assert asking.named("churn", "challenger") is None
    server.says(f"{API}/registered-models/get", {"registered_model": {"name": "churn"}})
    assert asking.named("churn", "next") is None
    server.answers.clear()
    assert asking.named("churn", "next") is None
    with pytest.raises(StoreError, match="404"):
        asking.aliases("churn")
    server.says(f"{API}/registered-models/get", b"no backend", 404)
    with pytest.raises(StoreError, match="404, no backend"):
        asking.named("churn", "next")


def test_whoever_does_not_answer_as_mlflow_is_said_so(server, monkeypatch):
    asking, path = Mlflow(server.uri), f"{API}/model-versions/get"
    for content, status, headers, why in (
        (b"<html>", 200, {}, "none of MLflow's: JSON is malformed"),
        (b"[1]", 200, {}, "Expected `object`"),
        (b"{}", 200, {}, "missing required field `model_version`"),
        (b'{"model_version": {"version": null}}', 200, {}, "got `null`"),
        (b'{"model_version": {"version": "\xff"}}', 200, {}, "invalid start byte"),
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
        (shared.as_uri(), b"flavors: {lightgbm: {data: ../../etc/passwd}}", "no file inside of it"),
        (shared.as_uri(), b"flavors: {lightgbm: {data: /etc/passwd}}", "no file inside of it"),
        (shared.as_uri(), b"flavors: {lightgbm: {data: .}}", "no file inside of it"),
        (shared.as_uri(), b"flavors: {pytorch: {}}", "no file of this model"),
        (shared.as_uri(), b"flavors: [", "no file of this model"),
        (shared.as_uri(), b"nothing", "no file of this model"),
    ):
        with pytest.raises((ModelError, StoreError), match=why) as refused:
            fetched(place, mlmodel)
        assert refused.value.fix


def test_a_disk_that_does_not_take_what_is_fetched_is_said_so(server, tmp_path):
    server.says(f"{API}/model-versions/get-download-uri", {"artifact_uri": "mlflow-artifacts:/m"})
    server.says(f"{FILES}/m/MLmodel", MLMODEL)
    server.says(f"{FILES}/m/model.lgb", b"tree\n")
    (tmp_path / "model.lgb").symlink_to("/dev/full")
    with pytest.raises(StoreError, match="what was fetched cannot be written: No space left") as refused:
        Mlflow(server.uri).fetch(ONE, tmp_path)
    assert "TMPDIR" in refused.value.fix
    for path in ("get-download-uri", "get"):
        server.says(f"{API}/model-versions/{path}", {})
    with pytest.raises(StoreError, match="missing required field `artifact_uri`"):
        Mlflow(server.uri).fetch(ONE, tmp_path)


def test_a_model_without_its_description_is_no_answer_of_mlflow(server):
    server.says(f"{API}/registered-models/get", {})
    with pytest.raises(StoreError, match="missing required field `registered_model`"):
        Mlflow(server.uri).named("churn", "next")
