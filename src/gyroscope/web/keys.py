"""Who may come in: one API key for programs, single-use login codes and sessions for people.

The command line makes codes, the guard checks. Only SHA-256 digests are kept, in `<home>/keys/digests`; the one
plain text is the API key's own file, for the local command line. Nothing here is ever logged.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from gyroscope.clock import DAY_US, SECOND_US, EventTime, wall_now
from gyroscope.database import Database, transaction
from gyroscope.errors import InputError
from gyroscope.web.key_file import first_one_wins

CODE_LIFE_US = 15 * 60 * SECOND_US
SESSION_LIFE_US = 7 * DAY_US
NEVER = EventTime(2**62)

Kind = Literal["api_key", "login", "session"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS digests (
    digest TEXT PRIMARY KEY, kind TEXT NOT NULL, expires_at INTEGER NOT NULL
) WITHOUT ROWID
"""


class FirstKeys(msgspec.Struct, frozen=True):
    """What the first start shows: a code for the login link, and the API key."""

    login_code: str
    api_key: str

    def __repr__(self) -> str:
        return "FirstKeys(***)"


class Keys:
    """The keys of one home; safe to use from several processes at once."""

    def __init__(self, home: Path, now: Callable[[], EventTime] = wall_now) -> None:
        self._folder = home / "keys"
        self._now = now
        self._digests = Database(
            self.digests_path,
            "the keys cannot be read or written",
            "check the folder's owner and free space",
            _SCHEMA,
            synchronous="FULL",
            journal="DELETE",  # replicas look at the file's time to learn that a key came or went
        )

    @property
    def api_key_path(self) -> Path:
        return self._folder / "api_key"

    @property
    def digests_path(self) -> Path:
        """The file that changes whenever a key is added or revoked."""
        return self._folder / "digests"

    def create_first(self) -> FirstKeys:
        """Make the API key unless there is one, and a login code. Started twice at once, both get the same key."""
        with self._digests.errors_named():
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            key = first_one_wins(self.api_key_path, f"gyro_{secrets.token_hex(32)}")
        self._keep("api_key", key, NEVER)
        return FirstKeys(login_code=self.new_login_code(), api_key=key)

    def check(self, key: str) -> bool:
        """Whether this is an API key."""
        return self._find("api_key", key) != ""

    def api_key_digests(self) -> tuple[str, ...]:
        """What replicas compare with: SHA-256 of each API key, in hex."""
        return tuple(self._valid("api_key"))

    def new_login_code(self) -> str:
        """A code that opens one session within the next 15 minutes."""
        code = secrets.token_urlsafe(32)
        self._keep("login", code, EventTime(self._now() + CODE_LIFE_US))
        return code

    def redeem(self, code: str) -> str:
        """Trade a login code for a session's token, once.

        Raises `InputError` (401) when it is unknown, used or too old.
        """
        digest = self._find("login", code)
        with self._digests.opened() as database:
            # Two who bring the same code at once both find it; only one of them deletes it.
            taken = database.execute("DELETE FROM digests WHERE digest = ? AND kind = 'login'", (digest,)).rowcount
        if taken != 1:
            raise InputError(
                "this link was used already, or is older than 15 minutes",
                where="/login",
                fix="run 'gyro up' on the server's machine; it prints a new one",
                status=401,
            )
        token = secrets.token_urlsafe(32)
        self._keep("session", token, EventTime(self._now() + SESSION_LIFE_US))
        return token

    def check_session(self, token: str) -> bool:
        """Whether this session was opened here and is younger than seven days."""
        return self._find("session", token) != ""

    def _find(self, kind: Kind, secret: str) -> str:
        """The digest kept for a secret, or nothing. Every kept digest is compared, each in constant time."""
        wanted = hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
        matches = [digest for digest in self._valid(kind) if hmac.compare_digest(digest, wanted)]
        return matches[0] if matches else ""

    def _valid(self, kind: Kind) -> list[str]:
        with self._digests.opened() as database:
            rows = database.execute("SELECT digest FROM digests WHERE kind = ? AND expires_at > ?", (kind, self._now()))
            return [str(digest) for (digest,) in rows]

    def _keep(self, kind: Kind, secret: str, expires_at: EventTime) -> None:
        digest = hashlib.sha256(secret.encode()).hexdigest()
        with self._digests.opened() as database, transaction(database):
            database.execute("DELETE FROM digests WHERE expires_at <= ?", (self._now(),))
            database.execute("INSERT OR IGNORE INTO digests VALUES (?, ?, ?)", (digest, kind, expires_at))
