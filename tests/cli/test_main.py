"""The frame of every command: version, help, exit codes, errors in words."""

from __future__ import annotations

import json

import pytest

import gyroscope
from gyroscope.cli.commands import gyro as shell
from gyroscope.cli.output import plain


def test_the_version_is_told(gyro):
    assert gyro("--version").out == f"gyroscope {gyroscope.__version__}\n"


def test_no_command_shows_the_help(gyro):
    ended = gyro()
    assert ended.code in (0, 2)
    assert "predict" in ended.out + ended.err


def test_only_the_noun_that_is_asked_for_is_made():
    def names(*words):
        made = shell(words)
        return {one.name for one in (*made.registered_commands, *made.registered_groups)}

    assert names("models", "list") == {"models"}
    assert names("compare") == {"compare"}
    assert names("fly") == names("--help") == names() > {"models", "compare"}


def test_an_unknown_command_fails_with_2(gyro):
    assert gyro("fly").code == 2


def test_an_error_is_told_in_words_with_place_and_fix(gyro, here):
    ended = gyro("status", "--settings", "none.yaml")
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.splitlines()[0] == "the settings file cannot be read"
    assert f"  where: {here / 'none.yaml'}" in ended.err
    assert "gyro init" in ended.err
    assert "Traceback" not in ended.err


def test_an_error_of_a_command_of_any_name_is_told_in_words(gyro):
    ended = gyro("explain", "none", "--settings", "none.yaml")
    assert (ended.code, ended.err.splitlines()[0]) == (2, "the settings file cannot be read")


def test_an_error_is_one_object_when_json_is_asked_for(gyro, here):
    (here / "gyroscope.yaml").write_text("door:\n  prot: 1\n")
    ended = gyro("status", "--json")
    told = json.loads(ended.err)
    assert ended.code == 2
    assert told["error"] == "SettingsError"
    assert told["where"].endswith("gyroscope.yaml:2  door.prot")
    assert "did you mean 'port'?" in told["fix"]


def test_a_forbidden_folder_is_told_in_words(gyro, here):
    (here / "file").touch()
    ended = gyro("init", "file")
    assert ended.code == 2
    assert "Not a directory" in ended.err
    assert "Traceback" not in ended.err


def test_texts_of_others_cannot_command_the_terminal():
    assert plain("a\x1b[31mb\x9b2Jc\u202ed") == "a\\x1b[31mb\\x9b2Jc\\u202ed"
    assert plain("[bold]über\n") == "[bold]über\n"


def test_every_command_says_what_it_does():
    import typer

    leaves = {}

    def walk(name, command):
        for child_name, child in getattr(command, "commands", {}).items():
            walk(f"{name} {child_name}", child)
        if not hasattr(command, "commands"):
            leaves[name] = command

    walk("gyro", typer.main.get_command(shell()))
    assert "gyro models add" in leaves
    assert [name for name, command in leaves.items() if not command.help] == []
    silent = [f"{name} {one.name}" for name, command in leaves.items() for one in command.params if not one.help]
    assert silent == []


@pytest.mark.parametrize("words", [("predict",), ("models", "add"), ("labels", "add")])
def test_missing_arguments_fail_with_2_and_usage(gyro, words):
    ended = gyro(*words)
    assert ended.code == 2
    assert "Usage" in ended.err
