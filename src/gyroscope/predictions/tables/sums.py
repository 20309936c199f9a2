"""The checksum of every file of a table: `<home>/tables/<model>.sums`, a line a file, as it was when it was written.

Whoever commits a file notes its sum; verifying compares. A file without one is only decoded, never called damaged.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import google_crc32c

# Lines of files that are gone are left behind until the list has this size.
MOST_BYTES = 4 * 1024 * 1024
PORTION_BYTES = 4 * 1024 * 1024


def note_sums(table: Path, files: Iterable[str]) -> None:
    """Write down the sums of these files, named from the table's folder."""
    path = sums_path(table)
    lines = "".join(f"{sum_of(table / file):08x} {file}\n" for file in files)
    if path.exists() and path.stat().st_size > MOST_BYTES:
        kept = {file: found for file, found in sums(table).items() if (table / file).exists()}
        fresh = path.with_suffix(".sums.new")
        fresh.write_text("".join(f"{found:08x} {file}\n" for file, found in kept.items()), encoding="utf-8")
        fresh.replace(path)
    with path.open("a", encoding="utf-8") as written:
        written.write(lines)
        written.flush()
        os.fsync(written.fileno())


def sums(table: Path) -> dict[str, int]:
    """File -> its checksum; a line that is not whole is left out."""
    path = sums_path(table)
    if not path.exists():
        return {}
    parts = (line.partition(" ") for line in path.read_text(encoding="utf-8", errors="replace").splitlines())
    return {file: int(found, 16) for found, _, file in parts if len(found) == 8 and file and _is_hex(found)}


def sum_of(file: Path) -> int:
    """The CRC32C of a file."""
    found = 0
    with file.open("rb") as opened:
        while portion := opened.read(PORTION_BYTES):
            found = google_crc32c.extend(found, portion)
    return int(found)


def sums_path(table: Path) -> Path:
    """Where the list of one table lies."""
    return table.with_name(f"{table.name}.sums")


def _is_hex(text: str) -> bool:
    return not set(text) - set("0123456789abcdef")
