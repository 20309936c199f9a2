"""How much one replica's undrained segments may take, those of its earlier lives too.

`log.py` and `full.py` ask before they reserve room. It deletes nothing and waits for nobody.
"""

from __future__ import annotations

import os
from pathlib import Path

from gyroscope.clock import SECOND_NS, machine_now
from gyroscope.errors import StoreError

# How often a log that is at its cap looks whether the recorder has made room: 20 looks a second cost nothing.
LOOK_AGAIN_NS = SECOND_NS // 20


class Cap:
    """The cap over all segments of one replica in one folder, those of earlier lives too."""

    def __init__(self, folder: Path, replica: str, cap_bytes: int) -> None:
        self.cap_bytes = cap_bytes
        self._folder = folder
        self._replica = replica
        self._others_bytes = 0
        self._looked_at: str | None = None
        self._looked_ns = 0

    def check(self, mine: str, wanted_bytes: int) -> None:
        """Raise `StoreError` when the segment `mine` may not take so much ("" for one that is yet to be made)."""
        if mine != self._looked_at or (self._is_over(wanted_bytes) and self._may_look()):
            self._look(mine)
        if self._is_over(wanted_bytes):
            raise StoreError(
                f"undrained segments have reached their cap of {self.cap_bytes} bytes",
                where=str(self._folder),
                fix="see whether the recorder runs (gyro status), or raise serving.segment_cap_mib",
            )
        if not mine:
            # This one is begun; whoever begins the next finds it among the others.
            self._looked_at = None

    def _is_over(self, wanted_bytes: int) -> bool:
        return self._others_bytes + wanted_bytes > self.cap_bytes

    def _may_look(self) -> bool:
        return machine_now() - self._looked_ns >= LOOK_AGAIN_NS

    def _look(self, mine: str) -> None:
        self._looked_at, self._looked_ns = mine, machine_now()
        try:
            with os.scandir(self._folder) as found:
                others = [item for item in found if item.name.startswith(f"{self._replica}-") and item.name != mine]
        except FileNotFoundError:
            others = []
        self._others_bytes = sum(_size(item) for item in others)


def _size(item: os.DirEntry[str]) -> int:
    """0 for a segment that the recorder has deleted since it was listed."""
    try:
        return item.stat().st_size
    except FileNotFoundError:
        return 0
