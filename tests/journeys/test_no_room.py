"""The memory for unrecorded predictions is full: said at once, answered or refused by policy, then well by itself."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import missing, need
from tests.journeys.own import Answer, Own, started, until

pytestmark = [pytest.mark.journey, pytest.mark.peer]

SIGNATURE = "task: regression\noutput: minutes\nfeatures: [{name: distance, nullable: false}]\n"
CODE = """
class Model:
    def predict(self, matrix, columns):
        return matrix[:, 0] * 2
"""
SIZE = 3 * 1_048_576


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system in memory of 3 MiB."""
    mount = need("mount")
    if os.geteuid() != 0:
        missing("only root can mount a small file system")
    # Sockets lie in it, and their names must be short.
    place = Path("/dev/shm") / f"gyroscope-room-{os.getpid()}-{free_number()}"
    place.mkdir()
    mounted = subprocess.run([mount, "-t", "tmpfs", "-o", f"size={SIZE}", "none", place], capture_output=True)
    if mounted.returncode:
        place.rmdir()
        missing(f"this machine mounts no tmpfs: {mounted.stderr.decode().strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)
        place.rmdir()


def free_number() -> int:
    return int.from_bytes(os.urandom(3), "big")


@pytest.fixture(params=["serve_unlogged", "fail_closed"])
def own(request: pytest.FixtureRequest, small: Path, tmp_path: Path) -> Iterator[Own]:
    serving = {"on_log_failure": request.param}
    with started(tmp_path, SIGNATURE, CODE, serving=serving, runtime_dir=str(small / "run")) as own:
        yield own


def fill(ballast: Path) -> None:
    """Take all the room there is, to the last page."""
    with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while file.write(bytes(4_096)):
            pass


def ask_until(own: Own, name: str, logged: str, most: int = 2_000) -> list[Answer]:
    """Requests one after the other until the last eight said `logged`: both replicas have met the new state."""
    answers: list[Answer] = []
    while len(answers) < 8 or any(one.headers.get("x-logged") != logged for one in answers[-8:]):
        answers.append(own.ask(21.0, request_id=f"{name}-{len(answers)}"))
        assert len(answers) < most, f"never X-Logged: {logged}"
    return answers


def use_up(own: Own) -> list[Answer]:
    """Fill the room that both replicas have reserved, until neither takes a large request any more."""
    answers: list[Answer] = []
    while len(answers) < 8 or any(one.headers.get("x-logged") != "no" for one in answers[-8:]):
        answers.append(own.ask_rows([[21.0]] * 5_000, request_id=f"large-{len(answers)}"))
    return answers


def ids(answers: list[Answer], logged: str) -> set[str]:
    return {one.headers["x-request-id"] for one in answers if one.headers["x-logged"] == logged}


def test_full_memory_is_said_at_once_and_heals_by_itself(own: Own, small: Path) -> None:
    policy = own.house.settings.serving.on_log_failure
    before = ask_until(own, "before", "os")
    assert all(one.headers["x-logged"] == "os" for one in before)
    replicas = [one["pid"] for one in own.replicas()]

    recorder = own.process("recorder")
    os.kill(recorder, signal.SIGSTOP)  # else it would make room by draining what is there
    fill(small / "ballast")
    # What is left of the room already reserved still holds records; from then on each one says no.
    full = [*use_up(own), *ask_until(own, "full", "no")]
    unlogged = ids(full, "no")
    for one in full:
        if policy == "serve_unlogged" or one.headers["x-logged"] == "os":
            assert (one.status, set(one.said["predictions"])) == (200, {42.0})
        else:
            assert one.status == 503
            assert one.said["error_code"] == "TEMPORARILY_UNAVAILABLE"
            assert "could not be written down" in one.said["message"]
            assert one.headers["retry-after"]
    assert own.counter("gyroscope_unlogged_total") == len(unlogged)
    print(f"{policy}: {len(full)} asked while full, {len(unlogged)} unlogged")

    (small / "ballast").unlink()
    os.kill(recorder, signal.SIGCONT)
    healed = ask_until(own, "healed", "os")
    assert all(one.status == 200 for one in healed if one.headers["x-logged"] == "os")
    assert [one["pid"] for one in own.replicas()] == replicas, "nobody had to be started again"
    kept = ids(before, "os") | ids(full, "os") | ids(healed, "os")
    assert own.counter("gyroscope_logged_total") == len(kept)
    own.recorded(kept)
    assert {row[0] for row in own.rows("request_id")} == kept, "what said no is in the table"


def test_a_replica_killed_while_there_is_no_room_comes_back(own: Own, small: Path) -> None:
    ask_until(own, "before", "os")
    victim = own.replicas()[0]
    recorder = own.process("recorder")
    os.kill(recorder, signal.SIGSTOP)
    fill(small / "ballast")
    os.kill(victim["pid"], 9)
    until(lambda: victim["pid"] not in [one["pid"] for one in own.replicas()], "the killed one is missed")
    until(lambda: [one["state"] for one in own.replicas()] == ["ready"] * 2, "both replicas are ready")
    use_up(own)
    full = ask_until(own, "full", "no")
    wanted = 200 if own.house.settings.serving.on_log_failure == "serve_unlogged" else 503
    assert {one.status for one in full if one.headers["x-logged"] == "no"} == {wanted}
    (small / "ballast").unlink()
    os.kill(recorder, signal.SIGCONT)
    assert {one.status for one in ask_until(own, "healed", "os")} <= {200, wanted}
