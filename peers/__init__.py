"""One virtualenv per peer: a system that others wrote, in the releases that `<name>/pins.txt` lists, and nothing else.

Benchmarks measure against peers, tests talk to them; both over sockets or in processes of their own. An environment
lives in `.peers/`, is named after the digest of its pins and is made once. Neither side imports the other.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
PLACE = HERE.parent / ".peers"


class PeerMissingError(Exception):
    """The environment of a peer could not be made here."""


def names() -> list[str]:
    """Every peer that has pins."""
    return sorted(path.parent.name for path in HERE.glob("*/pins.txt"))


def python(name: str, place: Path = PLACE) -> Path:
    """The interpreter in a peer's environment, which is made first when it is not there.

    Raises `PeerMissingError` when its packages cannot be had.
    """
    pins = HERE / name / "pins.txt"
    version = "{}.{}".format(*sys.version_info)
    digest = hashlib.sha256(f"{version}\n{pins.read_text(encoding='utf-8')}".encode()).hexdigest()[:12]
    home = place / f"{name}-{digest}"
    found = home / "bin" / "python"
    if (home / "ready").exists():
        return found
    place.mkdir(exist_ok=True)
    with (place / f"{name}.lock").open("w") as lock:
        # Two test runs may want the same peer: the second finds what the first has made.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "ready").exists():
            for old in place.glob(f"{name}-*"):
                shutil.rmtree(old)
            _make(name, pins, home)
    return found


def _make(name: str, pins: Path, home: Path) -> None:
    wanted = [line for line in pins.read_text(encoding="utf-8").splitlines() if "==" in line]
    print(f"peer {name}: installing {len(wanted)} packages into {home} (once)", flush=True)
    began = time.monotonic()
    _run(name, [sys.executable, "-m", "venv", "--without-pip", str(home)])
    # Everything is pinned, so nothing is resolved: what another release asks for does not matter.
    pip = [sys.executable, "-m", "pip", "--python", str(home / "bin" / "python"), "--disable-pip-version-check"]
    _run(name, [*pip, "install", "-q", "--no-deps", "-r", str(pins)])
    (home / "ready").touch()
    print(f"peer {name}: ready after {time.monotonic() - began:.0f} s", flush=True)


def _run(name: str, argv: list[str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PeerMissingError(f"the peer {name!r} cannot be installed: {done.stderr.strip()[-500:]}")
