"""From the settings of a house to its notifiers and rules: what is written there is what is asked."""

from __future__ import annotations

import base64
import json

import pytest
from benchmarks.loop.receiver import receiving
from tests.alerts.causes import cause, judged

from gyroscope.assembly import House
from gyroscope.assembly.notifying import deliveries
from gyroscope.assembly.ruling import CompleteWindows, rules
from gyroscope.clock import DAY_US, EventTime, wall_now
from gyroscope.errors import SettingsError
from gyroscope.records import Judged, Signal
from gyroscope.settings import parse_settings, secret_of

SECRET = "whsec_" + base64.b64encode(b"0" * 24).decode()


def house_of(folder, text: str) -> House:
    (folder / "gyroscope.yaml").write_text(text)
    return House(folder / "gyroscope.yaml")


def test_every_kind_of_notifier_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("TEAM_SECRET", SECRET)
    (tmp_path / "team.secret").write_text(SECRET + "\n")
    with receiving() as receiver:
        house = house_of(
            tmp_path,
            f"""
notifiers:
  file: {{kind: webhook, url: "{receiver.url}", secret_file: team.secret}}
  env: {{kind: webhook, url: "{receiver.url}", secret_env: TEAM_SECRET}}
  am: {{kind: alertmanager, url: "{receiver.url}/"}}
  log: {{}}
""",
        )
        found = judged(cause("quality", 10, "age"))
        house.incidents.take("m", Judged(found.causes, found.upto, found.near_us, wall_now()))
        assert {name: one.run_once() for name, one in deliveries(house).items()} == {
            "file": 1, "env": 1, "am": 1, "log": 1,
        }  # fmt: skip
    signatures = {one.headers.get("webhook-signature") for one in receiver.requests if one.path == "/hook"}
    assert len(signatures) <= 2, "the same secret signs alike within a second"
    (alert,) = [json.loads(one.body)[0] for one in receiver.requests if one.path == "/hook/api/v2/alerts"]
    assert alert["labels"]["alertname"] == "GyroscopeIncident"
    assert alert["endsAt"] > alert["startsAt"]
    house.signals.close()


def test_with_nobody_named_the_log_is_told(tmp_path):
    house = house_of(tmp_path, "")
    assert list(deliveries(house)) == ["log"]
    house.signals.close()


def test_a_secret_that_is_not_there_is_named_by_its_place_alone(tmp_path, monkeypatch):
    text = """
notifiers:
  a: {kind: webhook, url: "http://h/", secret_env: NO_SUCH}
  b: {kind: webhook, url: "http://h/", secret_file: no.secret}
"""
    notifiers = parse_settings(text).notifiers
    with pytest.raises(SettingsError, match="NO_SUCH"):
        secret_of(notifiers["a"], tmp_path)
    with pytest.raises(SettingsError, match=r"no\.secret"):
        secret_of(notifiers["b"], tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("notifiers: {a: {kind: webhook, url: 'http://h/'}}", "a cannot sign what it sends"),
        ("notifiers: {a: {kind: webhook, url: 'http://h/', secret_env: A, secret_file: b}}", "a cannot sign"),
        ("notifiers: {a: {kind: alertmanager}}", "a has no address to post to"),
        ("notifiers: {a: {kind: alertmanager, url: 'gopher://h/'}}", "a has no address to post to"),
        ("notifiers: {a: {kind: alertmanager, url: 'http://me@h/'}}", "a has no address to post to"),
        ("notifiers: {a: {kind: alertmanager, url: 'http://h:0x/'}}", "a has no address to post to"),
        ("notifiers: {a: {kind: pigeon}}", "wrong value 'pigeon'"),
        ("rules: {slow: {threshold: 1}}", "slow watches nothing"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_their_line(text, said):
    with pytest.raises(SettingsError, match=said) as refused:
        parse_settings(text)
    assert "gyroscope.yaml:1" in refused.value.where


def test_rules_of_the_settings_watch_the_signals_of_the_house(tmp_path):
    house = house_of(tmp_path, "rules: {slow: {signal: latency_p99_s, threshold: 0.5}, wide: {signal: drift}}")
    watched = rules(house)
    house.signals.put([Signal("latency_p99_s", wall_now(), 0.7, (("model", "m"),))])
    house.signals.put([Signal("drift", EventTime(DAY_US), 0.7, (("model", "m"), ("version", "v")))])
    assert watched.run_once(wall_now()) == 1, "no window of m is complete: nothing was ever predicted"
    assert [one.subjects for one in house.incidents.all()] == [("slow",)]
    assert CompleteWindows(house).newest("m", "v", wall_now()) < 0
    house.signals.close()
