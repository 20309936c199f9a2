"""An alias that is moved brings a challenger, once; what cannot be served is said to the registry, once."""

from __future__ import annotations

import errno
import logging
import tempfile
from typing import NoReturn

import pytest
from tests.models.registry.answering import answering

from gyroscope.assembly import House, control, following
from gyroscope.assembly import registry as registry_module
from gyroscope.assembly.following import follow
from gyroscope.assembly.registry import RegistryTurns
from gyroscope.assembly.retraining import RetrainingTurns
from gyroscope.assembly.rollouts import RolloutTurns
from gyroscope.assembly.ruling import rules
from gyroscope.clock import SECOND_NS, EventTime, MachineTime
from gyroscope.errors import ModelError, SettingsError, StoreError
from gyroscope.models import Candidate
from gyroscope.models.formats import runner_of
from gyroscope.models.registry.mlflow import Mlflow, Registered
from gyroscope.monitoring.alert_look import Lookout
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


def test_a_disk_that_is_full_refuses_no_version(house, server, monkeypatch, tmp_path):
    """Neither the folder of the models nor that of what is fetched; the next look takes it."""
    names(server, "2")
    root, other = house.home / "models", tmp_path / "full"
    (root / "m" / ".lock").unlink()
    (root / "m" / ".lock").mkdir()  # as good as a disk that takes no more, for root too
    with pytest.raises(ModelError, match="cannot be written"):
        looked(house, server)
    (root / "m" / ".lock").rmdir()
    monkeypatch.setattr(tempfile, "tempdir", str(other))
    with pytest.raises(FileNotFoundError):
        looked(house, server)
    monkeypatch.undo()
    monkeypatch.setattr(following, "runner_of", lambda path, *_: path.unlink() or runner_of(path, "", ""))
    with pytest.raises(ModelError, match="no such file"):
        looked(house, server)
    monkeypatch.undo()
    assert not [path for _, path, *_ in server.asked if path.endswith("set-tag")]
    assert house.registered.followed("m") is None
    assert [state for _, state in looked(house, server)] == ["waiting"]


def test_a_record_here_that_is_damaged_refuses_no_version(house, server):
    names(server, "2")
    (record,) = (house.home / "models" / "m").glob("*/version.json")
    good = record.read_bytes()
    record.write_bytes(b"{")
    with pytest.raises(ModelError, match="damaged"):
        looked(house, server)
    record.write_bytes(good)
    assert [state for _, state in looked(house, server)] == ["waiting"]


def test_the_turns_look_every_half_minute_and_say_what_stops_them(house, server, caplog, monkeypatch):
    now = [0]
    monkeypatch.setattr(registry_module, "machine_now", lambda: MachineTime(now[0] * SECOND_NS))
    turns = RegistryTurns(house)
    turns.follow_once()
    names(server, "2")
    turns.follow_once()
    assert house.challengers.every("m") == [], "not asked again so soon"
    now[0] += 30
    turns.follow_once()
    turns.tell_once()
    assert [one.state for one in house.challengers.every("m")] == ["waiting"]
    assert [json for method, path, json, _ in server.asked if method == "POST" and b"challenger" in json]
    server.answers.clear()
    now[0] += 30
    with caplog.at_level(logging.WARNING):
        turns.follow_once()
    assert "the registry is not followed for m, again in 1 s: MLflow refuses: status 404" in caplog.text


def test_a_source_that_is_gone_keeps_nobody_from_being_told(house, server):
    house.registered.put("m", house.models.versions("m")[0].version, Registered("other", "1"))
    del server.answers[f"{API}/registered-models/get"]
    lookout = Lookout(house.home, house.runtime)
    loops = control.turns(house, lookout, rules(house), RetrainingTurns(house), RolloutTurns(house))
    for loop in ("registry sources", "registry"):
        next(step for name, step, _ in loops if name == loop)()
    assert "champion" in [fact.key for fact in house.registered.told("m")]


@pytest.mark.parametrize(
    ("fault", "said"), [("answer", "none of MLflow's"), ("record", "is damaged"), ("disk", "No space left")]
)
def test_what_is_wrong_with_one_model_keeps_no_other_from_its_look(house, server, caplog, monkeypatch, fault, said):
    """And its own next look waits, longer each time."""
    now, asking = [0], f"{API}/registered-models/get?name=odd"
    monkeypatch.setattr(registry_module, "machine_now", lambda: MachineTime(now[0] * SECOND_NS))
    text = house.settings_path.read_text().replace("models: {", "models: {a: {source: 'models:/odd@next'}, ")
    house.settings_path.write_text(text)
    house = House(house.settings_path)
    house.models.add(Candidate("a", "lightgbm", house.signature_of("m"), house.settings_path.parent / "t.txt"), 1)
    names(server, "2")
    if fault == "answer":
        server.says(asking, {})
    if fault == "record":
        next((house.home / "models" / "a").glob("*/version.json")).write_bytes(b"{")
    if fault == "disk":
        signature_of = house.signature_of
        monkeypatch.setattr(house, "signature_of", lambda model: full() if model == "a" else signature_of(model))
    turns = RegistryTurns(house)
    for _ in range(8):
        turns.follow_once()
        now[0] += 1
    assert sum(path == asking for _, path, *_ in server.asked) == 4, "at once, and after 1, 2 and 4 s"
    assert [one.state for one in house.challengers.every("m")] == ["waiting"]
    assert said in caplog.text


def full() -> NoReturn:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_source_without_a_server_and_one_that_is_no_alias_are_refused():
    with pytest.raises(SettingsError, match="m comes from an MLflow server that is not named"):
        parse_settings("models: {m: {source: 'models:/churn@next'}}")
    with pytest.raises(SettingsError, match=r"models/churn/3|source"):
        parse_settings("mlflow: {tracking_uri: 'http://h'}\nmodels: {m: {source: 'models:/churn/3'}}")
