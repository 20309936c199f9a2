"""ARCHITECTURE.md's map equals the tree."""

from __future__ import annotations

import re
from pathlib import Path

PLACE = re.compile(r"(?<![\w/.<>:-])((?:[\w-]+/)+(?:[\w-]+\.py)?|[\w-]+\.py)(?![\w/])")
"""A folder (`stats/`, `web/templates/`) or a Python file (`clock.py`, `models/store.py`) as the map writes them."""

MADE_AT_RUN_TIME = {"run/", "logs/", "keys/", "tables/", "sockets/", "pulses/", "segments/"}
"""Folders of a home and of its runtime folder: on the map, and made by `gyro up`."""


def test_every_folder_of_the_tree_is_on_the_map(root, package):
    written = (root / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rooms = [f"{path.name}/" for path in sorted(package.iterdir()) if path.is_dir() and any(path.rglob("*.py"))]
    ground = [path.name for path in sorted(package.glob("*.py")) if path.name != "__init__.py"]
    missing = [name for name in (*rooms, *ground) if name not in written]
    assert not missing, f"ARCHITECTURE.md does not name: {missing}"


def test_everything_on_the_map_is_in_the_tree(root):
    named = {place for block in _maps(root) for place in PLACE.findall(block)} - MADE_AT_RUN_TIME
    gone = [place for place in sorted(named) if not _is_somewhere(root, place)]
    assert not gone, f"ARCHITECTURE.md names what is not there; build it or take it off the map: {gone}"


def _maps(root: Path) -> list[str]:
    """The fenced blocks and the inline code of the document, without comments to the right of a name."""
    written = (root / "ARCHITECTURE.md").read_text(encoding="utf-8")
    fenced = re.findall(r"^```\w*\n(.*?)^```", written, flags=re.MULTILINE | re.DOTALL)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", written, flags=re.MULTILINE | re.DOTALL))
    return [*fenced, *(code for code in inline if " " not in code)]


def _is_somewhere(root: Path, place: str) -> bool:
    if any((start / place).exists() for start in (root, root / "src", root / "src" / "gyroscope")):
        return True
    return any(path.as_posix().endswith("/" + place.rstrip("/")) for path in (root / "src").rglob(Path(place).name))
