"""Removing what a table no longer names: files that were merged, thinned or dropped, and old pages of its log.

Only the holder of the recorder's lock calls it. Readers hold a list of files for as long as they read, so a file stays
for a while after it is forgotten, unless somebody's erasure cannot wait.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

import msgspec

from gyroscope.clock import SECOND_NS, MachineTime
from gyroscope.predictions.tables.rewrite import sync

GRACE_S = 600.0
# A commit a second would leave 2.6 million pages in a month. Older versions of a table are nobody's business.
LOG_PAGES = 1_000
LOG, LAST_CHECKPOINT = "_delta_log", "_last_checkpoint"


class Sweep:
    """One table's. What was forgotten before this process began waits from its first look."""

    def __init__(self, path: Path, grace_s: float = GRACE_S) -> None:
        self._path = path
        self._grace_ns = int(grace_s * SECOND_NS)
        self._forgotten: dict[str, MachineTime] = {}

    def run(self, live: Collection[str], now: MachineTime) -> int:
        """Remove files that no version has named for the grace; how many."""
        kept = set(live)
        unknown = [name for name in _files(self._path) if name not in kept]
        self._forgotten = {name: self._forgotten.get(name, now) for name in unknown}
        due = [name for name, since in self._forgotten.items() if now - since >= self._grace_ns]
        remove_files(self._path, due)
        for name in due:
            self._forgotten.pop(name)
        return len(due)


def remove_now(path: Path, live: Collection[str]) -> int:
    """Remove every file that the newest version does not name, whoever reads it; how many."""
    kept = set(live)
    names = [name for name in _files(path) if name not in kept]
    remove_files(path, names)
    return len(names)


def trim_log(path: Path, keep: int = LOG_PAGES) -> int:
    """Remove pages and checkpoints that the last checkpoint makes unneeded, but the newest `keep`; how many."""
    try:
        page = msgspec.json.decode((path / LOG / LAST_CHECKPOINT).read_bytes(), type=dict[str, object])
        last = int(str(page["version"]))
    except (OSError, msgspec.MsgspecError, KeyError, ValueError):
        return 0
    first_kept = last - keep
    old = [
        item.name
        for item in os.scandir(path / LOG)
        if item.name[:20].isdigit() and int(item.name[:20]) < (first_kept if item.name.endswith(".json") else last)
    ]
    remove_files(path / LOG, old)
    return len(old)


def remove_files(folder: Path, names: Collection[str]) -> None:
    """Delete, and the folders that are empty then; one that is gone already is no fault."""
    for name in names:
        (folder / name).unlink(missing_ok=True)
    for parent in {(folder / name).parent for name in names}:
        if parent != folder and not any(parent.iterdir()):
            parent.rmdir()
        else:
            sync(parent)


def _files(path: Path) -> list[str]:
    """Every data file in the folders of days, by its path in the table."""
    names = []
    for folder in os.scandir(path):
        if folder.is_dir() and folder.name.startswith("day="):
            names += [f"{folder.name}/{item.name}" for item in os.scandir(folder.path)]
    return names
