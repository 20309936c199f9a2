"""Kill points inside running processes: armed from here, taken by `hooks/sitecustomize.py`, counted by their hit files.

A file `write.arm` holds what the process that gets there shall do to itself: `kill` or `stop`.
"""

from __future__ import annotations

import contextlib
import signal
import time
from pathlib import Path

from benchmarks.house import kill

WINDOWS = {
    "write": "before the write",
    "reply": "between write and reply",
    "commit": "between table commit and index",
    "index": "between index and deleting the segment",
}
PAUSE_S = 0.001


class Points:
    """The folder where points are armed; `hooks` is what the house's processes must be started with."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.hits = dict.fromkeys(WINDOWS, 0)

    @property
    def hooks(self) -> dict[str, str]:
        return {"BENCH_POINTS": str(self._folder), "BENCH_HASTE": "1"}

    def hit(self, window: str, wish: str, patience_s: float) -> int:
        """The process that reached the point and did as wished; 0 when none came by in time."""
        fresh = self._folder / f"{window}.new"
        fresh.write_text(wish)
        armed = self._folder / f"{window}.arm"
        fresh.rename(armed)
        give_up = time.monotonic() + patience_s
        while armed.exists():
            if time.monotonic() > give_up:
                with contextlib.suppress(FileNotFoundError):
                    armed.unlink()
                    return 0
            time.sleep(PAUSE_S)
        pid = self._taken(window)
        self.hits[window] += 1
        _until_in_state(pid, "T" if wish == "stop" else "")
        return pid

    def _taken(self, window: str) -> int:
        """Who took it, from the name of the hit file, which is removed."""
        taken = next(self._folder.glob(f"{window}.hit.*"))
        pid = int(taken.name.rpartition(".")[2])
        _until_gone_or_read(pid)
        taken.unlink()
        return pid


def release(pid: int) -> None:
    """Let a stopped process go on."""
    kill(pid, signal.SIGCONT)


def _until_gone_or_read(pid: int, patience_s: float = 5.0) -> None:
    """It reads its wish from the hit file before it acts: only then may the file go."""
    give_up = time.monotonic() + patience_s
    while _state(pid) not in ("T", "Z", "") and time.monotonic() < give_up:
        time.sleep(PAUSE_S)


def _until_in_state(pid: int, letter: str, patience_s: float = 5.0) -> None:
    give_up = time.monotonic() + patience_s
    while _state(pid).strip("Z") != letter and time.monotonic() < give_up:
        time.sleep(PAUSE_S)


def _state(pid: int) -> str:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[0]
