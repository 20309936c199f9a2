"""A secret's own file: private from its first byte, whole from the moment it has its name.

Only `keys.py` calls this. It never overwrites a file that is there.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def first_one_wins(path: Path, text: str) -> str:
    """Write a new private file whole, or read the one that is there: a link never replaces and is never half made."""
    fresh = path.with_name(f".{path.name}-{secrets.token_hex(6)}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(fresh, path)
    except FileExistsError:
        return path.read_text(encoding="ascii").strip()
    finally:
        fresh.unlink()
    return text
