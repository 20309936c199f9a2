"""`gyro restore`: a home from a backup, checked whole before anything has its name.

It only ever makes a new home: an old backup never comes over newer data. The folder of the home appears by one rename.
"""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

import msgspec

from gyroscope.assembly.archive import Manifest, unpack
from gyroscope.assembly.backup import HOME, SETTINGS
from gyroscope.errors import StoreError
from gyroscope.predictions.tables.rewrite import sync

SETTINGS_KEPT = "gyroscope.yaml.restored"
# A zipped backup may grow to several times its size; Parquet files hardly do.
ZIPPED_GROWTH = 3


class RestoreReport(msgspec.Struct, frozen=True):
    """What was restored, and where its settings lie: where they should go is a person's to say."""

    home: str
    settings: str
    made_by: str
    began_at: str
    files: int
    tables: dict[str, int]
    has_keys: bool


def restore(archive: Path, home: Path) -> RestoreReport:
    """Make `home` what it was.

    Raises `StoreError` when it is not empty or the backup is not whole; then nothing is left of the try.
    """
    home = home.absolute()
    _check(archive, home)
    home.parent.mkdir(parents=True, exist_ok=True)
    fresh = home.with_name(f".{home.name}.restoring-{secrets.token_hex(6)}")
    fresh.mkdir(mode=0o700)
    try:
        manifest = unpack(archive, fresh)
        (fresh / HOME).mkdir(exist_ok=True, mode=0o700)
        (fresh / SETTINGS).rename(fresh / HOME / SETTINGS_KEPT)
        sync(fresh / HOME)
        # Onto an empty folder or nothing: the kernel refuses to rename over one that got a file meanwhile.
        (fresh / HOME).rename(home)
        sync(home.parent)
    except OSError as error:
        raise StoreError(f"the home cannot be made: {error}", where=str(home), fix="make room, or mend it") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return _report(home, manifest)


def _check(archive: Path, home: Path) -> None:
    if not archive.is_file():
        raise StoreError("there is no such backup", where=str(archive), fix="name the file that gyro backup wrote")
    if home.is_symlink() or (home.exists() and (not home.is_dir() or any(home.iterdir()))):
        raise StoreError(
            "this home is not empty: a backup never comes over other data",
            where=str(home),
            fix="restore into a new folder, and move this one away when the new one is well",
        )
    folder = next(path for path in home.parents if path.is_dir())
    wanted = archive.stat().st_size * (ZIPPED_GROWTH if archive.name.endswith("gz") else 1)
    free = shutil.disk_usage(folder).free
    if wanted > free:
        raise StoreError(f"it takes {wanted:,} bytes, {free:,} are free", where=str(folder), fix="make room there")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StoreError("nothing can be made in this folder", where=str(folder), fix="mend its owner, or take another")


def _report(home: Path, manifest: Manifest) -> RestoreReport:
    return RestoreReport(
        home=str(home),
        settings=str(home / SETTINGS_KEPT),
        made_by=manifest.made_by,
        began_at=manifest.began_at,
        files=len(manifest.members),
        tables=manifest.tables,
        has_keys=manifest.has_keys,
    )
