"""An alias that is moved brings a challenger, once; what cannot be served is said to the registry, once."""

from __future__ import annotations

import logging

import pytest
from tests.models.registry.answering import answering

from gyroscope.assembly import House
from gyroscope.assembly import registry as registry_module
from gyroscope.assembly.following import follow
from gyroscope.assembly.registry import RegistryTurns
from gyroscope.clock import SECOND_NS, EventTime, MachineTime
from gyroscope.errors import SettingsError, StoreError
from gyroscope.models import Candidate
from gyroscope.models.registry.mlflow import Mlflow, Registered
from gyroscope.records import Feature, Route, Signature
from gyroscope.settings import parse_settings

API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts/m"
SOURCE = "models:/churn@next"
MLMODEL = b"flavors: {lightgbm: {data: model.lgb}}"


@pytest.fixture
def server():
    """A registry with one model file, and no alias yet."""
    with answering() as server:
        server.says(f"{API}/model-versions/get-download-uri", {"artifact_uri": "mlflow-artifacts:/m"})
        server.says(f"{API}/model-versions/set-tag", {})
        server.says(f"{API}/registered-models/alias", {})
        server.says(f"{FILES}/MLmodel", MLMODEL)
        server.says(f"{FILES}/model.lgb", b"tree\nnewer")
        names(server, None)
        yield server


@pytest.fixture
def house(tmp_path, server):
    """One whose model was added by hand."""
    text = (
        f"home: home\nruntime_dir: run\nmlflow: {{tracking_uri: '{server.uri}'}}\nmodels: {{m: {{source: '{SOURCE}'}}}}"
    )
    (tmp_path / "gyroscope.yaml").write_text(text)
    house = House(tmp_path / "gyroscope.yaml")
    (tmp_path / "t.txt").write_bytes(b"tree\n")
    version = house.models.add(Candidate("m", "lightgbm", Signature("binary", (Feature("x"),)), tmp_path / "t.txt"), 1)
    house.routes.set_route(Route("m", version.version), reason="first", now=EventTime(1))
    return house


def names(server, number: str | None) -> None:
    aliases = [{"alias": "next", "version": number}] if number else []
    server.says(f"{API}/registered-models/get", {"registered_model": {"aliases": aliases}})


def looked(house, server, times: int = 2) -> list[tuple[str, str]]:
    """After so many looks: every try, as its version here and its state."""
    for _ in range(times):
        follow(house, "m", SOURCE, Mlflow(server.uri))
    return [(one.version, one.state) for one in house.challengers.every("m")]


def fetches(server) -> int:
    return sum(path.endswith("model.lgb") for _, path, *_ in server.asked)


def test_a_version_that_an_alias_newly_names_becomes_a_challenger_once(house, server):
    assert looked(house, server) == []
    names(server, "2")
    ((version, state),) = looked(house, server)
    assert (state, fetches(server)) == ("waiting", 1)
    assert house.registered.of("m") == {version: Registered("churn", "2")}
    assert house.models.get("m", version).signature == house.signature_of("m")
    (challenger,) = house.challengers.every("m")
    assert challenger.origin == SOURCE
    house.challengers.turn(challenger, "rolled_back", "worse", EventTime(2))
    assert looked(house, server) == [(version, "rolled_back")], "the alias was not moved since"


def test_one_that_is_named_again_tries_again_and_is_not_fetched_again(house, server):
    names(server, "2")
    looked(house, server)
    house.challengers.turn(house.challengers.every("m")[0], "rolled_back", "worse", EventTime(2))
    server.says(f"{FILES}/model.lgb", b"tree\nnewest")
    names(server, "3")
    looked(house, server)
    names(server, "2")
    (first, *_), second, third = looked(house, server)
    assert (second[1], third, fetches(server)) == ("waiting", (first, "waiting"), 2)


def test_the_champion_is_no_challenger_of_itself(house, server):
    house.registered.put("m", house.models.versions("m")[0].version, Registered("churn", "1"))
    names(server, "1")
    assert looked(house, server) == []
    assert house.registered.followed("m") == Registered("churn", "1")


def test_what_cannot_be_served_is_fetched_once_and_the_registry_is_told_why(house, server, caplog):
    server.says(f"{FILES}/model.lgb", b"no model at all")
    names(server, "2")
    assert looked(house, server) == []
    assert fetches(server) == 1
    assert "cannot become a challenger of m: this file is neither" in caplog.text
    told = [body for method, path, body, _ in server.asked if path.endswith("set-tag")]
    assert b'"refused"' in told[0]
    assert b"this file is neither" in told[1]
    names(server, "3")
    server.says(f"{FILES}/model.lgb", b"tree\nnewer")
    assert [state for _, state in looked(house, server)] == ["waiting"]


def test_a_server_that_fails_midway_is_asked_for_the_same_again(house, server):
    names(server, "2")
    good = server.answers.pop(f"{FILES}/model.lgb")
    with pytest.raises(StoreError, match="404"):
        looked(house, server)
    server.answers[f"{FILES}/model.lgb"] = good
    assert [state for _, state in looked(house, server)] == ["waiting"]


def test_a_model_without_a_version_has_no_signature_to_add_one_with(house, server, tmp_path):
    names(server, "2")
    with pytest.raises(StoreError, match="nobody has added") as refused:
        follow(house, "other", SOURCE, Mlflow(server.uri))
    assert "gyro models add other models:/churn@next --signature" in refused.value.fix
    assert house.registered.followed("other") is None


def test_the_turns_look_every_half_minute_and_say_what_stops_them(house, server, caplog, monkeypatch):
    now = [0]
    monkeypatch.setattr(registry_module, "machine_now", lambda: MachineTime(now[0] * SECOND_NS))
    turns = RegistryTurns(house)
    turns.run_once()
    names(server, "2")
    turns.run_once()
    assert house.challengers.every("m") == [], "not asked again so soon"
    now[0] += 30
    turns.run_once()
    assert [one.state for one in house.challengers.every("m")] == ["waiting"]
    assert [json for method, path, json, _ in server.asked if method == "POST" and b"challenger" in json]
    server.answers.clear()
    now[0] += 30
    with caplog.at_level(logging.WARNING):
        turns.run_once()
    assert "the registry is asked about m again in 1 s" in caplog.text


def test_a_source_without_a_server_and_one_that_is_no_alias_are_refused():
    with pytest.raises(SettingsError, match="m comes from an MLflow server that is not named"):
        parse_settings("models: {m: {source: 'models:/churn@next'}}")
    with pytest.raises(SettingsError, match=r"models/churn/3|source"):
        parse_settings("mlflow: {tracking_uri: 'http://h'}\nmodels: {m: {source: 'models:/churn/3'}}")
