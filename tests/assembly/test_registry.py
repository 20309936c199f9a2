"""The server that the settings name, and that a registry which does not answer is asked less and less often."""

from __future__ import annotations

import logging

import pytest

from gyroscope.assembly import House
from gyroscope.assembly import registry as registry_module
from gyroscope.assembly.registry import RegistryTurns, fetched, server_of
from gyroscope.clock import EventTime
from gyroscope.errors import ModelError, StoreError
from gyroscope.models import Candidate
from gyroscope.models.registry.mlflow import Registered
from gyroscope.records import Feature, Route, Signature

NOWHERE = "http://127.0.0.1:9"


def house_of(folder, **mlflow: str) -> House:
    told = "".join(f"  {name}: {value}\n" for name, value in mlflow.items())
    (folder / "gyroscope.yaml").write_text("home: home\nruntime_dir: run\n" + (f"mlflow:\n{told}" if told else ""))
    return House(folder / "gyroscope.yaml")


@pytest.fixture
def registered(tmp_path):
    """A house whose champion came from the registry."""

    def made(**mlflow: str) -> House:
        (tmp_path / "t.txt").write_bytes(b"tree\n")
        house, signature = house_of(tmp_path, **mlflow), Signature("binary", (Feature("x"),))
        version = house.models.add(Candidate("m", "lightgbm", signature, tmp_path / "t.txt"), 1)
        house.routes.set_route(Route("m", version.version), reason="first", now=EventTime(1))
        house.registered.put("m", version.version, Registered("churn", "1"))
        return house

    return made


def test_a_server_that_is_not_named_or_whose_credentials_are_not_there_is_said_so(tmp_path):
    nobody = house_of(tmp_path)
    with pytest.raises(ModelError, match="no MLflow server is named"), fetched(nobody, "models:/churn@champion"):
        pass
    house = house_of(tmp_path, tracking_uri=NOWHERE, credentials="token.txt")
    with pytest.raises(StoreError, match="credentials") as refused:
        server_of(house)
    assert refused.value.fix
    (tmp_path / "token.txt").write_text("secret\n")
    with pytest.raises(StoreError, match="does not answer"), fetched(house, "models:/churn@champion"):
        pass


@pytest.mark.parametrize("written", ["hidden\nsecond\n", "ann:hidden\nsecond\n", "hidden-\u4f60"])
def test_credentials_that_no_header_can_hold_are_refused_and_never_said(registered, caplog, written):
    house = registered(tracking_uri=NOWHERE, credentials="token.txt")
    (house.settings_path.parent / "token.txt").write_text(written, encoding="utf-8")
    RegistryTurns(house).tell_once()
    assert "more than one line" in caplog.text
    assert not [word for word in ("hidden", "second") if word in caplog.text]


def test_a_password_may_have_any_letters(tmp_path):
    house = house_of(tmp_path, tracking_uri=NOWHERE, credentials="token.txt")
    (tmp_path / "token.txt").write_text("ann:h\u00e9 \u4f60\n", encoding="utf-8")
    with pytest.raises(StoreError, match="does not answer"):
        server_of(house).find("models:/churn@champion")


def test_who_does_not_answer_is_asked_less_and_less_often(tmp_path, registered, caplog, monkeypatch):
    house = registered(tracking_uri=NOWHERE)
    now = [0]
    monkeypatch.setattr(registry_module, "machine_now", lambda: now[0])
    turns = RegistryTurns(house)
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            turns.tell_once()
            now[0] += 1_000_000_000
    waits = [record.args[2] for record in caplog.records]
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0]
    assert house.registered.told("m") == ()
    RegistryTurns(house_of(tmp_path)).tell_once()  # nobody is named, nobody is asked
    assert len(caplog.records) == len(waits)
