"""The file that says what should run."""

from __future__ import annotations

from pathlib import Path

import pytest

from gyroscope.errors import ProcessError
from gyroscope.supervisor.wanted import DoorSpec, ProcessSpec, Wanted, read_wanted, write_wanted

REPLICA = ProcessSpec("m-v-0", ("python", "-c", "pass"), "replica", {"A": "1"}, pulse="/p", socket="/s", model="m")
DOOR = DoorSpec("127.0.0.1", 8080, "/run/a.sock", {"m": 8})


@pytest.mark.parametrize("wanted", [Wanted(), Wanted((REPLICA,)), Wanted((REPLICA,), DOOR)])
def test_reads_what_it_writes(tmp_path: Path, wanted: Wanted) -> None:
    path = tmp_path / "wanted.json"
    write_wanted(path, wanted)
    assert read_wanted(path) == wanted
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"processes": []}', "door"),
        ('{"processes": [{"name": "a", "argv": ["x"], "sokket": ""}], "door": null}', "did you mean 'socket'"),
        ('{"processes": [{"argv": ["x"]}], "door": null}', "name"),
    ],
)
def test_a_bad_file_is_refused_with_its_path(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "wanted.json"
    path.write_text(text)
    with pytest.raises(ProcessError, match=complaint) as caught:
        read_wanted(path)
    assert caught.value.where == str(path)


def test_names_are_unique_and_models_have_a_backend(tmp_path: Path) -> None:
    path = tmp_path / "wanted.json"
    with pytest.raises(ProcessError, match="two processes are called 'm-v-0'"):
        write_wanted(path, Wanted((REPLICA, REPLICA)))
    with pytest.raises(ProcessError, match="'door'"):
        write_wanted(path, Wanted((ProcessSpec("door", ("x",)),)))
    with pytest.raises(ProcessError, match="no backend for m-v-0"):
        write_wanted(path, Wanted((REPLICA,), DoorSpec("127.0.0.1", 8080, "/run/a.sock", {"other": 8})))
    assert not path.exists()
