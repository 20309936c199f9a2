"""The walls, one by one, in a process of their own, as this user and (when root) as nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from gyroscope.models.syscall_filter import REFUSED, filter_program

PROGRAM = """
import json, os, pathlib, resource, socket, sys, threading
from gyroscope.models.sandbox import Limits, confine

folder, secret, user, threads = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
stop = threading.Event()
for _ in range(threads):
    threading.Thread(target=stop.wait, daemon=True).start()
if user != os.getuid():
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
done = {"level": confine(folder, Limits()).level}
def attempt(name, act):
    try:
        act()
        done[name] = True
    except (OSError, ValueError):
        done[name] = False
attempt("network", socket.socket)
attempt("read", lambda: open(secret).read())
attempt("write", lambda: open(secret + ".new", "w"))
attempt("truncate", lambda: os.truncate(secret, 0))
attempt("fork", os.fork)
attempt("exec", lambda: os.execv("/bin/true", ["true"]))
attempt("kill", lambda: os.kill(os.getppid(), 0))
attempt("root's rights", lambda: os.setgroups([5]))
attempt("more memory", lambda: resource.setrlimit(resource.RLIMIT_DATA, (1 << 50, 1 << 50)))
attempt("own file", lambda: (folder / "mine").write_text("x"))
attempt("own thread", lambda: threading.Thread(target=int).start())
stop.set()
print(json.dumps(done), flush=True)
"""


@pytest.fixture
def place():
    """A folder that everybody may enter, unlike pytest's own: only the walls shall stand in the way."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


def _attempts(place: Path, user: int, threads: int = 0) -> dict[str, object]:
    folder, secret = place / "own", place / "secret"
    folder.mkdir()
    secret.write_text("key")
    secret.chmod(0o666)
    os.chown(folder, user, -1)
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PROGRAM, str(folder), str(secret), str(user), str(threads)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return dict(json.loads(ended.stdout))


@pytest.mark.parametrize("user", [os.getuid(), 65534] if os.getuid() == 0 else [os.getuid()])
def test_nothing_is_within_reach_but_its_own_folder(place, user):
    done = _attempts(place, user)
    if done["level"] != "full":
        pytest.skip(f"this system allows only a {done['level']} sandbox")
    within_reach = {name for name, worked in done.items() if worked is True}
    assert within_reach == {"own file", "own thread"}


def test_walls_around_one_of_two_threads_do_not_count(place):
    assert _attempts(place, os.getuid(), threads=1)["level"] != "full"


@pytest.mark.parametrize("column", [0, 1])
def test_no_system_call_is_listed_twice(column):
    numbers = [each[column] for each in REFUSED.values() if each[column] >= 0]
    assert len(numbers) == len(set(numbers))


def test_the_program_fits_the_kernel():
    for machine in ("x86_64", "aarch64"):
        program = filter_program(machine)
        assert len(program) % 8 == 0
        assert len(program) // 8 < 4096
