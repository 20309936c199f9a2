"""What must hold for the room as a whole."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import gyroscope.supervisor as room

FOLDER = Path(room.__file__).parent


def test_nothing_but_the_standard_library_is_loaded() -> None:
    code = (
        "import sys, gyroscope.supervisor.__main__;"
        "allowed = set(sys.stdlib_module_names) | {'gyroscope', '__main__'};"
        "print({name.partition('.')[0] for name in sys.modules if not name.startswith('_sysconfigdata')} - allowed)"
    )
    # -S: no site-packages, so a foreign import fails outright instead of only being seen here.
    told = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path.insert(0, {str(FOLDER.parents[1])!r}); {code}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.stderr == ""
    assert told.stdout.strip() == "set()"


def test_public_names_are_there() -> None:
    assert all(hasattr(room, name) for name in room.__all__)


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("this machine has no systemd-analyze")
    unit = tmp_path / "gyroscope.service"
    text = (FOLDER / "gyroscope.service").read_text()
    unit.write_text(text.replace("/opt/gyroscope/.venv/bin/gyro", sys.executable))
    told = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")


def test_the_unit_lets_children_outlive_a_killed_supervisor() -> None:
    lines = (FOLDER / "gyroscope.service").read_text().splitlines()
    assert {"KillMode=process", "Restart=always", "OOMPolicy=continue"} <= set(lines)
