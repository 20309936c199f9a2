"""Is there room? The checks of `gyro doctor` for the home's disk and for the memory of unrecorded predictions.

They look and change nothing.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from gyroscope.cli.checks import Check
from gyroscope.settings import Settings

MIB = 1_048_576
DISK_BYTES = 2 * 1_024 * MIB
# A segment smaller than this is full within a second at full load: every prediction after it would go unlogged.
SMALLEST_SEGMENT_MIB = 16


def check_home(home: Path) -> Check:
    """Can be written, with room for some days of predictions."""
    folder = _nearest(home)
    if not os.access(folder, os.W_OK | os.X_OK):
        return Check("home", "fail", f"{folder} cannot be written", "choose another home, or mend its owner")
    free = shutil.disk_usage(folder).free
    found = f"{home}, {free // MIB:,} MiB free"
    if free < DISK_BYTES:
        return Check("home", "warn", found, f"keep {DISK_BYTES // MIB:,} MiB free for the predictions")
    return Check("home", "ok", found)


def check_memory(settings: Settings) -> Check:
    """Where predictions wait to be recorded: in memory, and with room for every replica's segment."""
    folder = _nearest(settings.runtime_path)
    replicas = sum(policy.bounds.max for policy in settings.models.values()) or 1
    wanted = replicas * settings.serving.segment_cap_mib if settings.serving.log == "os" else 0
    free = shutil.disk_usage(folder).free // MIB
    found = f"{folder}, {free:,} MiB free of {wanted:,} wanted"
    if not _is_in_memory(folder):
        return Check(
            "segments", "warn", f"{folder} is on a disk", "set runtime_dir to a folder on tmpfs, such as below /dev/shm"
        )
    if free < wanted:
        fix = "enlarge it (containers: --shm-size), or lower serving.segment_cap_mib"
        return Check("segments", "fail" if free < replicas * SMALLEST_SEGMENT_MIB else "warn", found, fix)
    return Check("segments", "ok", found)


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(path for path in (folder, *folder.parents) if path.is_dir())


def _is_in_memory(folder: Path) -> bool:
    """Whether the folder is on tmpfs, by the longest mount point above it."""
    best, kind = "", ""
    for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
        _, point, found, *_ = line.split(" ")
        if folder.is_relative_to(point) and len(point) >= len(best):
            best, kind = point, found
    return kind in ("tmpfs", "ramfs")
