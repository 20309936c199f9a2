"""`gyro doctor`: each check against the real machine, and against what a broken one would show."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from gyroscope.cli.checks import Check, check_clock, check_open_files, check_port, check_python
from gyroscope.cli.doctor import examine
from gyroscope.cli.space import check_home, check_memory
from gyroscope.settings import parse_settings


def settings_in(folder: Path, text: str = ""):
    return parse_settings(text, folder / "gyroscope.yaml")


def test_an_ordinary_machine_passes(gyro, here):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (here / "gyroscope.yaml").write_text(f"door: {{port: {port}}}\nserving: {{segment_cap_mib: 4}}\n")
    ended = gyro("doctor", "--json")
    found = [json.loads(line) for line in ended.out.splitlines()]
    assert [one for one in found if one["state"] == "fail"] == []
    assert ended.code == 0
    assert {"Python", "HAProxy", "port", "home", "segments", "open files", "clock"} <= {one["name"] for one in found}


def test_a_port_in_use_fails_and_is_named(gyro, here):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        check = check_port(settings_in(here, f"door: {{port: {port}}}"))
        (here / "gyroscope.yaml").write_text(f"door: {{port: {port}}}\n")
        assert gyro("doctor").code == 1
    assert check.state == "fail"
    assert str(port) in check.found
    assert check.fix


def test_every_finding_that_is_not_well_says_what_to_do(tmp_path: Path):
    assert all(check.fix for check in examine(settings_in(tmp_path)) if check.state != "ok")


def test_an_old_python_fails():
    assert check_python((3, 10, 9)) == Check("Python", "fail", "3.10.9", "install Python 3.11 or newer")
    assert check_python((3, 12, 0)).state == "ok"


def test_a_home_that_cannot_be_written_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # What the system says of a closed folder; to root no folder is closed.
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert check_home(tmp_path / "home").state == "fail"
    assert str(tmp_path) in check_home(tmp_path / "home").found


def test_a_home_that_is_not_there_yet_is_fine(tmp_path: Path):
    assert check_home(tmp_path / "a" / "b").state in ("ok", "warn")
    assert not (tmp_path / "a").exists()


def test_segments_on_a_disk_are_warned_of(tmp_path: Path):
    settings = settings_in(Path("/proc"), "runtime_dir: /proc/self")
    assert check_memory(settings).state == "warn"
    assert "tmpfs" in check_memory(settings).fix


def test_segments_that_do_not_fit_are_told():
    policies = ", ".join(f"m{at}: {{replicas: 256}}" for at in range(40))
    settings = settings_in(Path("/tmp"), f"serving: {{segment_cap_mib: 65536}}\nmodels: {{{policies}}}")
    assert check_memory(settings).state in ("warn", "fail")


@pytest.mark.parametrize(("limit", "state"), [(1024, "warn"), (4096, "ok"), (-1, "ok")])
def test_few_open_files_are_warned_of(limit, state):
    assert check_open_files(limit).state == state


def test_a_clock_behind_the_files_fails(tmp_path: Path):
    late = tmp_path / "state.db"
    late.touch()
    assert check_clock(tmp_path).state == "ok"
    os.utime(late, (4e9, 4e9))
    assert check_clock(tmp_path).state == "fail"
