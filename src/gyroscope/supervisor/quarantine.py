"""Inputs that killed replicas of one version, in a small file that all of them share.

The supervisor blames what a dead replica had in hand; a replica asks before it works, and acquits what it has answered.
One blame makes a suspect, which is worked on alone; two, and nobody works on it any more until that expires.
Written in words as a pulse is; it never sees a body, only the hash that `serving/` makes of it.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable
from pathlib import Path

from gyroscope.clock import SECOND_NS
from gyroscope.errors import ProcessError

FATAL = 2
"""So many kills, and the input is refused. One may be an accident of the machine, or of another call of its batch."""

EXPIRES_NS = 600 * SECOND_NS
"""Then the input may try again: at most two replicas in ten minutes, and nobody has to forgive it by hand."""

SLOTS = 64
_HASH, _KILLS, _UNTIL = 0, 1, 2
_WIDTH = 3
_WORDS = 1 + SLOTS * _WIDTH  # the first one: how many slots were ever used


class Quarantine:
    """The words of one version. One supervisor and any number of replicas map them at once.

    >>> import tempfile
    >>> shared = Quarantine(Path(tempfile.mkdtemp()) / "q")
    >>> [shared.kills(77, now_ns=0), shared.blame([77], now_ns=0), shared.blame([77], now_ns=1)]
    [0, [], [77]]
    >>> shared.kills(77, now_ns=2), shared.kills(77, now_ns=2 + EXPIRES_NS)
    (2, 0)
    """

    def __init__(self, path: Path | str) -> None:
        """Map the file, made when it is not there. Raises `ProcessError` when it cannot be."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                # Zeros are an empty quarantine, and whoever comes at the same moment does the same.
                os.ftruncate(descriptor, _WORDS * 8)
                self._pages = mmap.mmap(descriptor, _WORDS * 8)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise ProcessError(f"the quarantine cannot be opened: {error.strerror}", where=str(path)) from error
        self._words = memoryview(self._pages).cast("Q")

    @property
    def is_empty(self) -> bool:
        """Whether no input was ever blamed: then nothing needs to be asked of any."""
        return not self._words[0]

    def kills(self, input_hash: int, now_ns: int) -> int:
        """How often this input has killed; next to nothing to ask while no input ever has."""
        at = self._find(input_hash) if self._words[0] else 0
        # Further off than it was ever set: from before the machine was started anew, and its clock with it.
        is_held = at and now_ns < self._words[at + _UNTIL] <= now_ns + EXPIRES_NS
        return self._words[at + _KILLS] if is_held else 0

    def blame(self, hashes: Iterable[int], now_ns: int) -> list[int]:
        """One kill more for each; those that are refused from now on. The supervisor's alone."""
        fatal = []
        for input_hash in dict.fromkeys(hashes):  # twice in one batch is one death
            kills = self.kills(input_hash, now_ns) + 1
            at = self._find(input_hash) or self._free(now_ns)
            words = self._words
            words[at + _UNTIL] *= words[at + _HASH] == input_hash  # nobody may read the kills of another input
            words[at + _HASH], words[at + _KILLS] = input_hash, kills
            words[at + _UNTIL] = now_ns + EXPIRES_NS
            fatal += [input_hash] if kills == FATAL else []
        return fatal

    def acquit(self, input_hash: int) -> None:
        """A suspect was answered: its kill was an accident."""
        at = self._find(input_hash)
        if at:
            self._words[at + _UNTIL] = 0

    def close(self) -> None:
        """Unmap; the file stays."""
        self._words.release()
        self._pages.close()

    def _find(self, input_hash: int) -> int:
        """Where the slot of an input begins; 0 when it has none."""
        used = self._words[1 : 1 + self._words[0] * _WIDTH : _WIDTH].tolist()
        return 1 + used.index(input_hash) * _WIDTH if input_hash in used else 0

    def _free(self, now_ns: int) -> int:
        """A slot to use: a fresh one, an expired one, else the one that expires first."""
        words, used = self._words, self._words[0]
        places = range(1, 1 + used * _WIDTH, _WIDTH)
        oldest = min(places, key=lambda at: words[at + _UNTIL], default=0)
        if oldest and (used == SLOTS or words[oldest + _UNTIL] <= now_ns):
            return oldest
        words[0] = used + 1
        return 1 + used * _WIDTH
