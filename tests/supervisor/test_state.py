"""The files that outlive a supervisor."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from gyroscope.errors import ProcessError
from gyroscope.supervisor import state as module
from gyroscope.supervisor.client import is_running
from gyroscope.supervisor.state import Entry, RunDir, State, append_event, read_state, write_state
from gyroscope.supervisor.wanted import ProcessSpec

ENTRY = Entry(ProcessSpec("a", ("x", "y"), env={"A": "1"}), 7, 8, "ready", 2, "exit code 1", 9)


def test_reads_what_it_writes(tmp_path: Path) -> None:
    state = State(1, 2, 3, "none", (ENTRY,))
    write_state(RunDir(tmp_path), state)
    assert read_state(RunDir(tmp_path)) == state


def test_nothing_is_believed_of_before_the_last_boot(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    assert read_state(run) == State()
    write_state(run, State(1, 2, 3, "", (ENTRY,)))
    plain = json.loads(run.state.read_text())
    run.state.write_text(json.dumps({**plain, "boot_id": "another"}))
    assert read_state(run) == State()


@pytest.mark.parametrize("text", ["", "{}", '{"boot_id": 1, "entries": 3}', "\x00"])
def test_a_damaged_file_says_so(tmp_path: Path, text: str) -> None:
    run = RunDir(tmp_path)
    run.state.write_text(text.replace("1", json.dumps(module.procfs.boot_id())))
    with pytest.raises(ProcessError, match="state cannot be read") as caught:
        read_state(run)
    assert caught.value.where == str(run.state)


def test_one_holder_of_the_lock(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    assert not is_running(run.path)
    lock = run.take_lock()
    run.sign_lock(lock)
    assert run.take_lock() == -1
    assert is_running(run.path)
    assert run.lock_holder() == os.getpid()
    os.close(lock)
    assert not is_running(run.path)


def test_what_a_killed_supervisor_left_half_written_goes(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    write_state(run, State(1, 2, 3, "", (ENTRY,)))
    (tmp_path / f".{run.state.name}.4711").write_text("{")
    (tmp_path / ".wanted.json.4712").write_text("somebody is about to rename this one")
    run.sign_lock(run.take_lock())
    assert sorted(path.name for path in tmp_path.glob(".*")) == [".wanted.json.4712"]
    assert read_state(run).entries == (ENTRY,)


def test_events_are_lines_and_capped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunDir(tmp_path)
    monkeypatch.setattr(module, "EVENTS_CAP_BYTES", 1_000)
    for turn in range(100):
        append_event(run, "a", "ended", f"turn {turn}")
    lines = [json.loads(line) for line in run.events.read_text().splitlines()]
    assert lines[-1]["reason"] == "turn 99"
    assert set(lines[-1]) == {"at", "process", "event", "reason"}
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 2_500
