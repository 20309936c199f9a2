"""Who may ask: API keys, known here only by the SHA-256 of each.

The HTTP shell asks before it reads a body; a key that was added or taken away counts within a second. No key is ever
written down or logged.
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
_REMEMBERED = 256


class ApiKeys:
    """The digests (hex) that `read` gives, asked again when `file` has changed. No digests: then nobody may ask."""

    def __init__(self, read: Callable[[], Sequence[str]], file: Path) -> None:
        self._read = read
        self._file = file
        self._digests: tuple[bytes, ...] = ()
        self._stamp: tuple[int, int, int] | None = None
        self._looked = MachineTime(-LOOK_EVERY_NS)
        # Values that brought a known key since the last look. Finding one compares its hash first, which is keyed anew
        # in each process, so the time says nothing about a wrong one.
        self._allowed: set[bytes] = set()

    def allow(self, authorization: bytes, now: MachineTime) -> bool:
        """Whether the value of an Authorization header brings a known key."""
        if now - self._looked >= LOOK_EVERY_NS:
            self._looked = now
            self._allowed.clear()
            self._look()
        return authorization in self._allowed or self._is_known(authorization)

    def _is_known(self, authorization: bytes) -> bool:
        if authorization[:7].lower() != _PREFIX or len(authorization) > _LONGEST:
            return False
        # As it stands: the door tells keys apart by these very bytes.
        digest = hashlib.sha256(authorization[7:]).digest()
        # Every digest is compared, so the time says nothing about which one was near.
        is_known = sum([hmac.compare_digest(digest, known) for known in self._digests]) > 0
        if is_known and len(self._allowed) < _REMEMBERED:
            self._allowed.add(authorization)
        return is_known

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
