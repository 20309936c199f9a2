"""`gyro init`: a file in which every line is the default, and no file is ever replaced."""

from __future__ import annotations

import yaml

from gyroscope.cli.init import settings_text
from gyroscope.settings import Settings, describe, parse_settings, read_settings


def test_the_file_says_exactly_the_defaults(gyro, here):
    ended = gyro("init", "--json")
    assert ended.code == 0
    written = here / "gyroscope.yaml"
    assert ended.json == {"written": str(written)}
    read = read_settings(written)
    assert read == parse_settings("", written)


def test_every_setting_is_in_the_file_with_its_meaning():
    lines = settings_text().splitlines()
    for setting in describe():
        key = setting.name.rpartition(".")[2]
        assert any(setting.about in line for line in lines), setting.name
        assert setting.default is None or any(line.lstrip("# ").startswith(f"{key}:") for line in lines), setting.name
    assert max(map(len, lines)) <= 120


def test_every_live_line_can_be_read_alone_as_yaml():
    plain = yaml.safe_load(settings_text())
    assert plain["door"]["port"] == Settings().door.port
    sections = {"door", "serving", "log", "monitoring", "loops", "rollouts", "models", "label_sources"}
    sections |= {"mlflow", "notifiers", "rules"}
    assert set(plain) == {"home", "runtime_dir", *sections}


def test_the_example_of_a_model_is_right_once_uncommented():
    text = settings_text().partition("\nlabel_sources")[0].replace("models: {}", "models:")
    text = text.replace("#  flights", "  flights").replace("#    ", "    ")
    assert parse_settings(text).models["flights"].replicas == 1


def test_the_example_of_a_source_is_right_once_uncommented():
    text = settings_text().replace("label_sources: {}", "label_sources:").replace("#  outcomes", "  outcomes")
    text = text.partition("\nnotifiers:")[0].partition("\n  outcomes:")
    rest = text[2].replace("#    ", "    ").replace("model: ''", "model: a").replace("path: ''", "path: '*.csv'")
    assert parse_settings(text[0] + text[1] + rest).label_sources["outcomes"].every_s == 60


def test_the_examples_of_a_notifier_and_a_rule_are_right_once_uncommented():
    text = settings_text().replace("notifiers: {}", "notifiers:").replace("#  team", "  team")
    text = text.replace("rules: {}", "rules:").replace("#  slow", "  slow")
    text = text.replace("#    ", "    ").partition("\nmodels:")[0] + "\nnotifiers:" + text.partition("\nnotifiers:")[2]
    settings = parse_settings(text.replace("#    ", "    ").replace("signal: ''", "signal: drift"))
    assert settings.notifiers["team"].kind == "log"
    assert settings.rules["slow"].when == "above"


def test_a_file_that_is_there_stays_as_it_is(gyro, here):
    (here / "gyroscope.yaml").write_text("door: {port: 9000}\n")
    ended = gyro("init")
    assert ended.code == 2
    assert "there is one already" in ended.err
    assert (here / "gyroscope.yaml").read_text() == "door: {port: 9000}\n"


def test_another_folder_can_be_named(gyro, here):
    (here / "elsewhere").mkdir()
    assert gyro("init", "elsewhere").code == 0
    assert (here / "elsewhere" / "gyroscope.yaml").is_file()
