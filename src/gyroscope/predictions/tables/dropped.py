"""The list of days that were deleted from a table on purpose: `<home>/tables/<model>.dropped`.

The recorder adds to it before a day goes; monitoring reads it, so that windows of such days keep what was measured.
Their labels stay and stay counted.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from gyroscope.clock import EventTime
from gyroscope.errors import StoreError
from gyroscope.predictions.tables.rewrite import sync


class Dropped(msgspec.Struct, frozen=True):
    """One day, what went with it, why ("age" or "budget") and when."""

    day: str
    rows: int
    bytes: int
    why: str
    at: EventTime


def dropped(home: Path, model: str) -> list[Dropped]:
    """Every day that was deleted, in the order of deletion. Raises `StoreError` when the list is damaged."""
    path = dropped_path(home, model)
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Dropped])
    except FileNotFoundError:
        return []
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreError(
            f"the list of deleted days cannot be read: {error}", where=str(path), fix="mend it, or move it away"
        ) from error


def note_dropped(home: Path, model: str, one: Dropped) -> None:
    """Add a day; on disk when this returns. The same day and reason again (after a crash) replaces its line."""
    path = dropped_path(home, model)
    kept = [known for known in dropped(home, model) if (known.day, known.rows) != (one.day, one.rows)]
    fresh = path.with_suffix(".dropped.new")
    fresh.write_bytes(msgspec.json.encode([*kept, one]))
    fresh.chmod(0o600)
    sync(fresh)
    fresh.replace(path)
    sync(path.parent)


def dropped_path(home: Path, model: str) -> Path:
    """Where the list of one model lies."""
    return home / "tables" / f"{model}.dropped"
