"""One version of a table under second names (hard links): the files stay while they are copied, whatever is swept.

`backup.py` calls it. Nothing of the table is changed.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from gyroscope.errors import StoreError
from gyroscope.predictions.keeping.sweep import LAST_CHECKPOINT, LOG
from gyroscope.predictions.tables.rewrite import live_files, open_table

# Offsets are looked for in the newest commits: so many go along although a checkpoint makes them unneeded.
PAGES_BEFORE = 100
TRIES = 5


def snapshot(path: Path, stage: Path) -> int:
    """Link the newest version of a table into the folder `stage`; its number, -1 for a table without a commit.

    Raises `StoreError` when the recorder removes files faster than they can be linked, which it never should.
    """
    for attempt in range(TRIES):
        try:
            return _link_all(path, stage / LOG, stage)
        except FileNotFoundError as error:
            if attempt == TRIES - 1:
                raise StoreError(
                    f"the table changes under the backup: {error}", where=str(path), fix="try again"
                ) from error
        except OSError as error:
            raise StoreError(
                f"files of the table cannot be linked: {error}",
                where=str(stage),
                fix="the home needs a file system with hard links and room for a few names",
            ) from error
    return -1


def _link_all(path: Path, log: Path, stage: Path) -> int:
    """The checkpoint is read first: whatever version is found after it, its pages from there on are in the log."""
    checkpoint = _checkpoint(path)
    delta = open_table(path)
    if delta is None:
        return -1
    version = int(delta.version())
    log.mkdir(parents=True, exist_ok=True)
    for file in live_files(delta):
        _link(path / file.path, stage / file.path)
    for number in range(max(0, checkpoint - PAGES_BEFORE), version + 1):
        page = f"{number:020d}.json"
        if number >= checkpoint or (path / LOG / page).exists():
            _link(path / LOG / page, log / page)
    if checkpoint:
        for part in (path / LOG).glob(f"{checkpoint:020d}.checkpoint*"):
            _link(part, log / part.name)
        (log / LAST_CHECKPOINT).write_bytes(_last_checkpoint(path, checkpoint))
    return version


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        os.link(source, target)


def _checkpoint(path: Path) -> int:
    try:
        return int(
            str(msgspec.json.decode((path / LOG / LAST_CHECKPOINT).read_bytes(), type=dict[str, object])["version"])
        )
    except (OSError, msgspec.MsgspecError, KeyError, ValueError):
        return 0


def _last_checkpoint(path: Path, checkpoint: int) -> bytes:
    """The note as it was; where a newer one has come meanwhile, the least that a reader needs."""
    now = (path / LOG / LAST_CHECKPOINT).read_bytes()
    return now if _checkpoint(path) == checkpoint else b'{"version":%d,"size":0}' % checkpoint
