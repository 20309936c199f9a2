"""Makes a commit of a table survive a power cut, and undoes one that did not.

`commits.py` calls it. Delta's own writer leaves files to the page cache; a segment is deleted only after its rows were
synced here, so whatever a power cut tears off the end of a table is still in its segments.
"""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from gyroscope.predictions.tables.rewrite import sync
from gyroscope.predictions.tables.sums import note_sums

LOG = logging.getLogger(__name__)

PAGES, LAST_CHECKPOINT = "_delta_log", "_last_checkpoint"
MAGIC = b"PAR1"


def marker_path(table: Path) -> Path:
    """The file that says up to which version a table is on the disk."""
    return table.with_name(f"{table.name}.synced")


def sync_commit(table: Path, version: int) -> None:
    """Wait until this commit is on the disk: its data files, their folders, its page of the log; then say so."""
    page = page_path(table, version)
    folders = {table, table / PAGES}
    files = [path for path, _ in added(page)]
    for path in files:
        sync(table / path)
        folders.add((table / path).parent)
    note_sums(table, files)
    sync(page)
    for folder in folders:
        sync(folder)
    if version == 0:
        sync(table.parent)
    marker = marker_path(table)
    new = marker.with_suffix(".new")
    new.write_text(str(version))
    sync(new)
    new.replace(marker)


def sync_checkpoint(table: Path, version: int) -> None:
    """Wait until a checkpoint is on the disk, and the pointer to it."""
    for name in (*checkpoints(table, version), LAST_CHECKPOINT):
        sync(table / PAGES / name)
    sync(table / PAGES)


def roll_back(table: Path) -> None:
    """Take back commits that a power cut tore, with all that came after them."""
    pages = table / PAGES
    if not pages.is_dir():
        return
    _drop_torn_checkpoint(table)
    synced = synced_version(table)
    versions = sorted(int(item.name[:20]) for item in os.scandir(pages) if _is_page(item.name))
    newer = [version for version in versions if version > synced] if synced >= 0 else versions[-1:]
    torn = next((version for version in newer if not _is_whole(table, version)), None)
    if torn is None:
        return
    for version in reversed([version for version in newer if version >= torn]):
        for name in (*checkpoints(table, version), page_path(table, version).name):
            (pages / name).unlink()
    sync(pages)
    LOG.warning("commits from version %d on were torn and are made again from the segments: %s", torn, table)


def synced_version(table: Path) -> int:
    """Up to which version a table is known to be on the disk; -1 when nobody wrote it down."""
    try:
        return int(marker_path(table).read_text())
    except (OSError, ValueError):
        return -1


def page_path(table: Path, version: int) -> Path:
    """The page of the log that holds one commit."""
    return table / PAGES / f"{version:020d}.json"


def added(page: Path) -> list[tuple[str, int]]:
    """(path, size) of the files that a commit added. Raises `ValueError` when the page is not whole."""
    found = []
    for line in page.read_bytes().splitlines():
        action: Any = json.loads(line)
        if not isinstance(action, dict):
            raise ValueError(f"{page.name} holds {line[:40]!r}")
        if "add" in action:
            found.append((unquote(action["add"]["path"]), int(action["add"]["size"])))
    return found


def checkpoints(table: Path, version: int) -> list[str]:
    """The files of the checkpoint of one version."""
    return [path.name for path in (table / PAGES).glob(f"{version:020d}.checkpoint*")]


def _is_page(name: str) -> bool:
    return name.endswith(".json") and name[:20].isdigit() and len(name) == 25


def _is_whole(table: Path, version: int) -> bool:
    """Whether a commit can be read: its page line by line, its files from the first byte to the last."""
    page = page_path(table, version)
    try:
        files = added(page)
        if not page.read_bytes().endswith((b"}", b"}\n")):
            return False
        return all((table / path).stat().st_size == size and _is_parquet(table / path) for path, size in files)
    except FileNotFoundError:
        # A later commit may have replaced the file; what is missing without that is found by the reader.
        return _is_replaced(table, version)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _is_replaced(table: Path, version: int) -> bool:
    names = {path for path, _ in added(page_path(table, version))}
    missing = {name for name in names if not (table / name).exists()}
    removed: set[str] = set()
    later = version + 1
    while (page := page_path(table, later)).exists():
        try:
            actions: list[Any] = [json.loads(line) for line in page.read_bytes().splitlines()]
        except ValueError:
            break
        removed |= {unquote(action["remove"]["path"]) for action in actions if "remove" in action}
        later += 1
    return missing <= removed


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        begins = file.read(4)
        file.seek(-4, os.SEEK_END)
        return begins == MAGIC and file.read(4) == MAGIC


def _drop_torn_checkpoint(table: Path) -> None:
    """Forget a checkpoint that is not whole: the pages behind it are still there."""
    pointer = table / PAGES / LAST_CHECKPOINT
    if not pointer.exists():
        return
    try:
        version = int(json.loads(pointer.read_bytes())["version"])
        names = checkpoints(table, version)
        is_whole = bool(names) and all(_is_parquet(table / PAGES / name) for name in names)
    except (OSError, ValueError, KeyError, TypeError):
        version, is_whole = -1, False
    if not is_whole:
        for name in checkpoints(table, version) if version >= 0 else ():
            (table / PAGES / name).unlink()
        pointer.unlink()
        LOG.warning("the last checkpoint was torn and is made again: %s", table)
