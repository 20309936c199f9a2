"""Who may ask: API keys, known here only by the SHA-256 of each.

The HTTP shell asks before it reads a body; a key that was added or taken away counts within a second. No key is ever
kept, logged or compared as text.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from pathlib import Path

from gyroscope.clock import SECOND_NS, MachineTime
from gyroscope.errors import StoreError

LOOK_EVERY_NS = SECOND_NS

_PREFIX = b"bearer "
_LONGEST = 512


class ApiKeys:
    """The digests (hex) that `read` gives, asked again when `file` has changed. No digests: then nobody may ask."""

    def __init__(self, read: Callable[[], Sequence[str]], file: Path) -> None:
        self._read = read
        self._file = file
        self._digests: tuple[bytes, ...] = ()
        self._stamp: tuple[int, int, int] | None = None
        self._looked = MachineTime(-LOOK_EVERY_NS)

    def allow(self, authorization: bytes, now: MachineTime) -> bool:
        """Whether the value of an Authorization header brings a known key."""
        if now - self._looked >= LOOK_EVERY_NS:
            self._looked = now
            self._look()
        if authorization[:7].lower() != _PREFIX or len(authorization) > _LONGEST:
            return False
        digest = hashlib.sha256(authorization[7:].strip()).digest()
        # Every digest is compared, so the time says nothing about which one was near.
        return sum([hmac.compare_digest(digest, known) for known in self._digests]) > 0

    def _look(self) -> None:
        try:
            status = self._file.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if stamp != self._stamp:
                self._digests = tuple(bytes.fromhex(digest) for digest in self._read())
                self._stamp = stamp
        except FileNotFoundError:
            self._digests, self._stamp = (), None
        except (OSError, StoreError):
            # Busy or unreadable for a moment: the keys of a second ago still count, and the next look tries again.
            self._stamp = None
