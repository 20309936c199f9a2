"""The commands that look after a home: verify, erase, backup, restore."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gyroscope.assembly import House
from gyroscope.clock import EventTime
from gyroscope.models import Candidate
from gyroscope.records import Feature, Label, Signature


@pytest.fixture
def home(here: Path, gyro: Callable[..., object]) -> House:
    """A home with a model and a label, and nothing that runs."""
    (here / "gyroscope.yaml").write_text(f"home: home\nruntime_dir: {here / 'run'}\n")
    (here / "tiny.py").write_text("class Model:\n    pass\n")
    house = House(here / "gyroscope.yaml")
    house.make_folders()
    signature = Signature("binary", (Feature("age"),))
    house.models.add(Candidate("churn", "python", signature, here / "tiny.py", "tiny:Model"), EventTime(0))
    house.labels.add("churn", [Label("r-1", 1.0), Label("r-2", 0.0)], EventTime(1))
    house.labels.close()
    return house


def test_verify_says_what_it_looked_at(home, gyro):
    ended = gyro("predictions", "verify")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == "well: 0 files with 0 rows, 0 segments with 0 records\n"
    assert gyro("predictions", "verify", "churn", "--json").json["models"] == ["churn"]


def test_verify_ends_with_one_and_names_what_is_wrong(home, gyro):
    artifact = next((home.home / "models" / "churn").glob("*/code/tiny.py"))
    artifact.write_text("class Model:\n    evil = 1\n")
    ended = gyro("predictions", "verify")
    assert ended.code == 1
    assert "is not what was added" in ended.out and "1 wrong" in ended.out
    assert gyro("predictions", "verify", "--json").json["faults"][0]["part"] == "model"


def test_verify_of_a_stranger_gets_a_near_word(home, gyro):
    ended = gyro("predictions", "verify", "chrun")
    assert ended.code == 2 and "did you mean 'churn'" in ended.err


def test_erase_reports_what_went(home, gyro):
    ended = gyro("predictions", "erase", "churn", "--request-id", "r-1")
    assert ended.code == 0, ended.err
    assert ended.out.startswith("0 rows of 0 requests on 0 days erased, 1 labels")
    said = gyro("predictions", "erase", "churn", "--request-id", "r-1", "--json").json
    assert (said["labels"], said["left_in"]) == (0, [])
    assert len((home.logs / "audit.log").read_bytes().splitlines()) == 2


def test_erase_names_where_the_subject_still_is(home, gyro):
    (home.logs / "control.log").write_text("customer-7 was here\n")
    ended = gyro("predictions", "erase", "churn", "--entity", "customer-7")
    assert ended.code == 1
    assert str(home.logs / "control.log") in ended.err


@pytest.mark.parametrize("words", [(), ("--entity", "a", "--request-id", "b")])
def test_erase_wants_one_subject(home, gyro, words):
    ended = gyro("predictions", "erase", "churn", *words)
    assert ended.code == 2 and "name one subject" in ended.err


def test_a_backup_is_restored_elsewhere(home, gyro, here, monkeypatch):
    monkeypatch.setattr("os.nice", lambda by: by)
    ended = gyro("backup", "home.tar")
    assert ended.code == 0, ended.err
    assert "no tables" in ended.out and "it holds the keys" in ended.out
    ended = gyro("restore", "home.tar", "--home", "new")
    assert ended.code == 0, ended.err
    assert "well: " in ended.out and str(here / "new" / "gyroscope.yaml.restored") in ended.out
    ended = gyro("restore", "home.tar", "--home", "new")
    assert ended.code == 2 and "not empty" in ended.err
    said = gyro("backup", "without.tar.gz", "--without-keys", "--json").json
    assert said["has_keys"] is False
    both = gyro("restore", "without.tar.gz", "--home", "newer", "--json").json
    assert both["verified"]["faults"] == [] and both["restored"]["has_keys"] is False


def test_a_restored_home_that_is_not_well_ends_with_one(home, gyro, monkeypatch):
    monkeypatch.setattr("os.nice", lambda by: by)
    artifact = next((home.home / "models" / "churn").glob("*/code/tiny.py"))
    artifact.write_text("class Model:\n    evil = 1\n")
    assert gyro("backup", "home.tar").code == 0
    ended = gyro("restore", "home.tar", "--home", "new")
    assert ended.code == 1 and "1 wrong" in ended.out


def test_a_bad_backup_is_said_in_words(home, gyro, here):
    (here / "bad.tar").write_bytes(b"no tar at all")
    ended = gyro("restore", "bad.tar", "--home", "new", "--json")
    assert ended.code == 2
    assert json.loads(ended.err)["error"] == "StoreError"
    assert not (here / "new").exists()
