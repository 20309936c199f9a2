"""The settings file: what it may say, and what a user is told when it says something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from gyroscope.errors import SettingsError
from gyroscope.settings import FILE_NAME, Settings, describe, find_settings, parse_settings, read_settings

WRONG = {
    "an unknown section": ("dor: {port: 1}", ":1  dor", "did you mean 'door'?"),
    "an unknown key": ("door:\n  prot: 1", ":2  door.prot", "did you mean 'port'?"),
    "an unknown key of a model": ("models:\n  flights:\n    replica: 2", ":3  models.flights.replica", "'replicas'"),
    "an unknown key two deep": (
        "monitoring:\n  thresholds:\n    drift: 1",
        ":3  monitoring.thresholds.drift",
        "known:",
    ),
    "a text for a number": ("door:\n  port: '80'", ":2  door.port", "whole number, 1 to 65535"),
    "a fraction for a whole number": ("door: {port: 80.5}", ":1  door.port", "whole number"),
    "a yes for a number": ("door: {port: yes}", ":1  door.port", "whole number"),
    "a number for a yes": ("door: {allow_remote: 1}", ":1  door.allow_remote", "true or false"),
    "a number beyond its limit": ("serving:\n\n  body_mib: 65", ":3  serving.body_mib", "1 to 64"),
    "not a number at all": ("serving: {deadline_s: .nan}", ":1  serving.deadline_s", "0.001 to 60"),
    "a word outside the choice": ("monitoring: {window: 2d}", ":1  monitoring.window", "1h, 6h, 1d, 7d"),
    "an unknown time zone": ("monitoring:\n  timezone: Mars", ":2  monitoring.timezone", "America/New_York"),
    "a time zone outside its folder": ("monitoring: {timezone: ../etc}", "monitoring.timezone", "UTC"),
    "an open address by accident": ("door:\n  host: 0.0.0.0", ":2  door.host", "allow_remote"),
    "a list where a section belongs": ("door: [1]", ":1  door", "indent its keys"),
    "a value left empty": ("door:\n  port:", ":2  door.port", "whole number"),
    "text for the whole file": ("hello", ":1", "indent its keys"),
    "a list of models": ("models: [flights]", ":1  models", "replicas"),
    "a model called like a path": ("models:\n  ../x: {replicas: 1}", ":2  models.../x", "a-z"),
    "a model called like a number": ("models: {7: {replicas: 1}}", "models.7", "a-z"),
    "no replica at all": ("models: {a: {replicas: 0}}", "models.a.replicas", "1 to 256"),
    "fewer than none of its bounds": ("models: {a: {replicas: {min: 0, max: 2}}}", "models.a.replicas", "{min, max}"),
    "bounds the wrong way round": (
        "models:\n  a: {replicas: {min: 3, max: 2}}",
        ":2  models.a.replicas",
        "at least min",
    ),
    "no step to go": ("rollouts: {steps: []}", ":1  rollouts.steps", "list, each number"),
    "a share in percent": ("rollouts:\n  steps: [1, 5, 25]", ":2  rollouts.steps", "0.0001 to 1"),
    "a key twice": ("door: {port: 1}\nserving: {log: os}\ndoor: {port: 2}", ":3  door", "keep one"),
    "a bracket left open": ("door:\n  {port: 1", ":", "mend the line"),
    "two documents": ("door: {port: 1}\n---\ndoor: {port: 2}", ":", "mend the line"),
    "a Python object": ("home: !!python/name:os.system", ":1", "mend the line"),
    "a control character": ("home: \x07", FILE_NAME, "mend the line"),
    "brackets without end": ("[" * 10_000, FILE_NAME, "mend the line"),
    "a source without a model": ("label_sources:\n  a: {path: x.csv}", ":2  label_sources.a", "give it a model"),
    "a source of two kinds": ("label_sources:\n  a: {model: m, path: x, url: y, query: z}", "sources.a", "either"),
    "a database without a query": ("label_sources:\n  a: {model: m, url: y}", "label_sources.a", "with a query"),
    "columns that are a list": ("label_sources:\n  a: {columns: [x]}", "label_sources.a.columns", "texts by name"),
    "an empty home": ("home: ''", ":1  home", "text"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_refused_with_place_and_fix(case):
    text, where, fix = WRONG[case]
    with pytest.raises(SettingsError) as refused:
        parse_settings(text)
    assert where in refused.value.where
    assert fix in refused.value.fix


@pytest.mark.parametrize("text", ["", "# nothing but a comment", "{}", "---", "door:", "models:"])
def test_an_empty_file_is_all_defaults(text):
    assert parse_settings(text).door == Settings().door


def test_what_is_set_is_kept_and_the_rest_is_default():
    text = "serving: {deadline_s: 2}\nmonitoring: {thresholds: {drift_effect: 0.1}}\nmodels: {flights: {replicas: 3}}"
    settings = parse_settings(text)
    assert settings.serving.deadline_s == 2.0
    assert settings.serving.body_mib == 1
    assert settings.monitoring.thresholds.drift_effect == 0.1
    assert settings.models["flights"].replicas == 3


def test_replicas_are_a_number_or_bounds():
    models = parse_settings("models: {fixed: {replicas: 3}, free: {replicas: {min: 2, max: 6}}}").models
    assert (models["fixed"].bounds.min, models["fixed"].bounds.max) == (3, 3)
    assert (models["free"].bounds.min, models["free"].bounds.max) == (2, 6)


def test_an_open_address_is_taken_when_asked_for():
    assert parse_settings("door: {host: 0.0.0.0, allow_remote: true}").door.host == "0.0.0.0"


def test_folders_are_relative_to_the_file(tmp_path: Path):
    path = tmp_path / FILE_NAME
    path.write_text("home: state\nruntime_dir: run")
    settings = read_settings(path)
    assert settings.home_path == tmp_path / "state"
    assert settings.runtime_path == tmp_path / "run"


def test_two_homes_never_share_a_runtime_folder(tmp_path: Path):
    one = parse_settings("home: one", tmp_path / FILE_NAME).runtime_path
    two = parse_settings("home: two", tmp_path / FILE_NAME).runtime_path
    assert one != two
    assert len(str(one)) < 50, "a socket's whole path must fit 107 bytes"


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_said_so(tmp_path: Path, content: bytes | None):
    path = tmp_path / FILE_NAME
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match="cannot be read") as refused:
        read_settings(path)
    assert str(path) in refused.value.where
    assert "gyro init" in refused.value.fix


def test_the_nearest_file_upwards_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("GYROSCOPE_SETTINGS", raising=False)
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / FILE_NAME).touch()
    assert find_settings(inner) == tmp_path / FILE_NAME
    (tmp_path / "a" / FILE_NAME).touch()
    assert find_settings(inner) == tmp_path / "a" / FILE_NAME


def test_the_variable_comes_before_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / FILE_NAME).touch()
    monkeypatch.setenv("GYROSCOPE_SETTINGS", "/elsewhere/other.yaml")
    assert find_settings(tmp_path) == Path("/elsewhere/other.yaml")


def test_every_setting_is_described_with_its_default():
    described = {setting.name: setting for setting in describe()}
    assert len(described) == len(list(describe()))
    assert all(setting.about for setting in described.values())
    assert described["monitoring.thresholds.drift_effect"].default == Settings().monitoring.thresholds.drift_effect
    assert described["models.<name>.replicas"].kind == "whole number, 1 to 256, or {min, max}"


def test_off_needs_no_quotes():
    assert parse_settings("serving: {log: off}").serving.log == "off"
    assert parse_settings("serving: {log: 'off'}").serving.log == "off"
    with pytest.raises(SettingsError, match="wrong value False"):
        parse_settings("serving: {on_log_failure: off}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("monitoring: {false_alarms: seldom}", "'seldom' is no rate of false alarms"),
        ("models: {flights: {monitor: {false_alarms: 1 a month}}}", "models.flights.monitor.false_alarms"),
        ("monitoring: {calendar: {christmas: 24 December}}", "christmas is no stretch of days"),
        ("monitoring: {calendar: {christmas: 2013-12-26 to 2013-12-24}}", "is before"),
        ("models: {flights: {monitor: {metric: []}}}", "metrics"),
    ],
)
def test_what_monitors_cannot_understand_is_refused_with_its_line(text, said):
    with pytest.raises(SettingsError) as told:
        parse_settings(text)
    assert said in str(told.value)
    assert "gyroscope.yaml:1" in str(told.value)


def test_days_of_the_calendar_may_be_written_bare():
    calendar = parse_settings("monitoring: {calendar: {christmas: 2013-12-24}}").monitoring.calendar
    assert calendar == {"christmas": "2013-12-24"}
    assert parse_settings("models: {flights: {monitor: {false_alarms: 2 per 30d}}}").models["flights"].monitor
