"""Real processes: started, adopted, killed with all they began."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.supervisor.rig import until

from gyroscope.errors import ProcessError
from gyroscope.supervisor import procfs
from gyroscope.supervisor.processes import LOG_CAP_BYTES, Child, adopt, kill_strays, marked, spawn
from gyroscope.supervisor.state import Entry
from gyroscope.supervisor.wanted import ProcessSpec

SLEEPER = ProcessSpec("sleeper", (sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"))
PARENT = "import subprocess, sys, time; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); time.sleep(60)"


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Child]:
    child = spawn(replace(SLEEPER, log=str(tmp_path / "a.log")), tmp_path)
    yield child
    child.kill()
    child.bury()


def test_a_child_leads_its_own_session_with_our_mark(sleeper: Child, tmp_path: Path) -> None:
    assert procfs.session_of(sleeper.pid) == sleeper.pid
    assert marked(tmp_path) == {sleeper.pid}
    assert Path(f"/proc/{sleeper.pid}/fd/0").readlink() == Path(os.devnull)
    until(lambda: (tmp_path / "a.log").read_text() == "up\n")
    assert not sleeper.is_dead()


def test_environment_is_ours_and_the_specs(tmp_path: Path) -> None:
    code = "import os; print(os.environ['EXTRA'], 'PATH' in os.environ)"
    child = spawn(
        ProcessSpec("a", (sys.executable, "-c", code), env={"EXTRA": "x"}, log=str(tmp_path / "a.log")), tmp_path
    )
    until(child.is_dead)
    assert child.bury() == "exit code 0"
    assert (tmp_path / "a.log").read_text() == "x True\n"


def test_death_is_told_with_its_cause(sleeper: Child, tmp_path: Path) -> None:
    child = spawn(SLEEPER, tmp_path)
    child.signal(signal.SIGSEGV)
    until(child.is_dead)
    assert not child.fell
    assert child.bury() == "killed by SIGSEGV"
    assert child.fell


@pytest.mark.parametrize(
    ("code", "fell"),
    [
        ("os.abort()", True),
        ("os._exit(0)", True),
        ("os.kill(os.getpid(), 9)", False),
        ("os.kill(os.getpid(), 15)", False),
    ],
)
def test_a_crash_is_told_from_a_killing(tmp_path: Path, code: str, fell: bool) -> None:
    child = spawn(ProcessSpec("a", (sys.executable, "-c", f"import os; {code}")), tmp_path)
    until(child.is_dead)
    child.bury()
    assert child.fell == fell


def test_a_kill_takes_grandchildren_along(tmp_path: Path) -> None:
    child = spawn(ProcessSpec("a", (sys.executable, "-c", PARENT), log=str(tmp_path / "a.log")), tmp_path)
    grandchild = int(until(lambda: (tmp_path / "a.log").read_text()))
    child.signal(signal.SIGKILL)
    until(child.is_dead)
    child.bury()
    until(lambda: procfs.start_ticks(grandchild) == 0)


def test_missing_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match=r"a cannot be started: .*nowhere"):
        spawn(ProcessSpec("a", ("/nowhere/at/all",)), tmp_path)


def test_a_process_that_nobody_can_hold_is_not_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(pid: int) -> int:
        raise OSError(errno.EMFILE, f"no descriptor for {pid}")

    monkeypatch.setattr(os, "pidfd_open", full)
    with pytest.raises(OSError, match="no descriptor"):
        spawn(SLEEPER, tmp_path)
    assert marked(tmp_path) == set()


def test_adopts_only_the_very_process(sleeper: Child) -> None:
    until(lambda: procfs.command_line(sleeper.pid))
    entry = Entry(SLEEPER, sleeper.pid, sleeper.start_ticks)
    child = adopt(entry)
    assert child is not None
    assert child.pid == sleeper.pid
    assert child.own is None
    os.close(child.pidfd)
    assert adopt(replace(entry, start_ticks=sleeper.start_ticks + 1)) is None
    assert adopt(replace(entry, spec=replace(SLEEPER, argv=("other", "words")))) is None
    assert adopt(replace(entry, pid=0)) is None
    assert adopt(replace(entry, pid=2**22 + 1)) is None


def test_strays_are_killed_and_known_sessions_spared(sleeper: Child, tmp_path: Path) -> None:
    stray = spawn(SLEEPER, tmp_path)
    other = spawn(SLEEPER, tmp_path / "another home")
    assert kill_strays(tmp_path, keep={sleeper.pid}) == [stray.pid]
    assert stray.is_dead()
    assert not sleeper.is_dead()
    assert not other.is_dead()
    other.kill()
    for child in (stray, other):
        child.bury()


def test_a_grown_log_is_put_aside(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(b"x" * (LOG_CAP_BYTES + 1))
    child = spawn(ProcessSpec("a", ("echo", "new"), log=str(log)), tmp_path)
    until(child.is_dead)
    child.bury()
    assert log.read_text() == "new\n"
    assert (tmp_path / "a.log.1").stat().st_size == LOG_CAP_BYTES + 1


def test_a_log_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    child = spawn(ProcessSpec("a", ("true",), log=str(tmp_path / "file" / "a.log")), tmp_path)
    until(child.is_dead)
    assert child.bury() == "exit code 0"


def test_reads_proc_of_an_awkward_name(tmp_path: Path) -> None:
    program = tmp_path / "a) S 1 (b"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([str(program), "60"]) as process:
        until(lambda: procfs.run_state(process.pid) == "S")
        assert procfs.command_line(process.pid) == (str(program), "60")
        process.send_signal(signal.SIGSTOP)
        until(lambda: procfs.run_state(process.pid) == "T")
        assert procfs.start_ticks(process.pid) > 0
        process.kill()
        until(lambda: procfs.run_state(process.pid) == "Z")
        assert procfs.start_ticks(process.pid) == 0
    assert procfs.run_state(process.pid) == ""
