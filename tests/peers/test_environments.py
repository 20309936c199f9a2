"""One environment per peer: keyed by its pins, made once, replaced when they change, missing out loud."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from peers.__main__ import main
from tests.peers.test_clients import CLIENTS

import peers

PIN = re.compile(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==[A-Za-z0-9.+!]+")


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A peer without packages."""
    monkeypatch.setattr(peers, "HERE", tmp_path)
    pins = tmp_path / "small" / "pins.txt"
    pins.parent.mkdir()
    pins.write_text("# nothing\n")
    return pins


def test_an_environment_is_made_once(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "made"
    found = peers.python("small", place)
    assert "peer small: installing 0 packages" in capsys.readouterr().out
    assert subprocess.run([found, "-c", ""], check=False).returncode == 0
    assert peers.python("small", place) == found
    assert capsys.readouterr().out == ""


def test_other_pins_are_another_environment(small: Path, tmp_path: Path) -> None:
    before = peers.python("small", tmp_path / "made")
    small.write_text("# still nothing\n")
    after = peers.python("small", tmp_path / "made")
    assert after != before
    assert after.exists()
    assert not before.exists()


def test_an_environment_that_was_left_half_made_is_made_again(small: Path, tmp_path: Path) -> None:
    found = peers.python("small", tmp_path / "made")
    (found.parents[1] / "ready").unlink()
    assert peers.python("small", tmp_path / "made") == found
    assert (found.parents[1] / "ready").exists()


def test_what_cannot_be_installed_is_said(small: Path, tmp_path: Path) -> None:
    small.write_text("no-such-package-anywhere @ file:///nowhere/at/all.whl\n")
    with pytest.raises(peers.PeerMissingError, match="the peer 'small' cannot be installed"):
        peers.python("small", tmp_path / "made")


def test_those_that_cannot_be_had_keep_no_other_away(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "pins.txt").write_text("no-such-package-anywhere @ file:///nowhere/at/all.whl\n")
    assert main(["bad", "small"], tmp_path / "made") == 1
    assert "the peer 'bad' cannot be installed" in capsys.readouterr().err
    assert main(["small"], tmp_path / "made") == 0
    assert capsys.readouterr().out == ""


def test_those_that_tests_start_are_installed_ahead() -> None:
    here = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    asked = {*re.findall(r'peer_python\("(\w+)"\)', here), *(client.partition(".")[0] for client in CLIENTS)}
    ahead = re.search(r"^TESTED = (.*)$", (peers.HERE.parent / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert ahead is not None
    assert sorted(ahead[1].split()) == sorted(asked)


@pytest.mark.parametrize("name", peers.names())
def test_every_package_of_a_peer_is_pinned(name: str) -> None:
    lines = (peers.HERE / name / "pins.txt").read_text(encoding="utf-8").splitlines()
    loose = [line for line in lines if line and not line.startswith("#") and not PIN.fullmatch(line)]
    assert not loose, f"pin these with == in peers/{name}/pins.txt: {loose}"
