"""Which versions came from a registry, what it was told of them last, and what it named last; in `state.db`.

`gyro models add` puts versions in, control's thread does too, reads, and writes down what the registry has confirmed.
Nothing here talks to a registry.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from gyroscope.database import Database
from gyroscope.models.registry.mlflow import Registered

_SCHEMA = """
CREATE TABLE IF NOT EXISTS registered (
    model TEXT NOT NULL, version TEXT NOT NULL, name TEXT NOT NULL, number TEXT NOT NULL, PRIMARY KEY (model, version)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS registry_told (model TEXT PRIMARY KEY, told TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS registry_followed (
    model TEXT PRIMARY KEY, name TEXT NOT NULL, number TEXT NOT NULL
) WITHOUT ROWID;
"""


class Fact(msgspec.Struct, frozen=True):
    """What a registry is to say: an alias names this version (no value), or a tag of it has a value."""

    of: Registered
    key: str
    value: str = ""

    @property
    def is_alias(self) -> bool:
        """No tag of ours is empty."""
        return not self.value


class Known:
    """The registered versions of one home. Safe for many processes; each call is one transaction."""

    def __init__(self, state_db: Path) -> None:
        self._database = Database(
            state_db,
            "the registered versions cannot be read or written",
            "check the owner, mode and the space left",
            _SCHEMA,
            synchronous="FULL",
        )

    def put(self, model: str, version: str, registered: Registered) -> None:
        """Write down where a version came from; the newest word holds."""
        with self._database.opened() as database:
            database.execute(
                "INSERT OR REPLACE INTO registered (model, version, name, number) VALUES (?, ?, ?, ?)",
                (model, version, registered.name, registered.number),
            )

    def of(self, model: str) -> dict[str, Registered]:
        """The registered versions of a model, by our name for them."""
        with self._database.opened() as database:
            rows = database.execute("SELECT version, name, number FROM registered WHERE model = ?", (model,)).fetchall()
        return {version: Registered(name, number) for version, name, number in rows}

    def told(self, model: str) -> tuple[Fact, ...]:
        """What the registry has confirmed."""
        with self._database.opened() as database:
            row = database.execute("SELECT told FROM registry_told WHERE model = ?", (model,)).fetchone()
        return msgspec.json.decode(row[0], type=tuple[Fact, ...]) if row else ()

    def set_told(self, model: str, told: tuple[Fact, ...]) -> None:
        """Write down what it has confirmed."""
        with self._database.opened() as database:
            database.execute(
                "INSERT OR REPLACE INTO registry_told (model, told) VALUES (?, ?)",
                (model, msgspec.json.encode(told).decode()),
            )

    def followed(self, model: str) -> Registered | None:
        """What the alias that a model comes from named when it was last followed; None when it never was."""
        with self._database.opened() as database:
            row = database.execute("SELECT name, number FROM registry_followed WHERE model = ?", (model,)).fetchone()
        return Registered(*row) if row else None

    def set_followed(self, model: str, registered: Registered) -> None:
        """Write down that what it names was dealt with."""
        with self._database.opened() as database:
            database.execute(
                "INSERT OR REPLACE INTO registry_followed (model, name, number) VALUES (?, ?, ?)",
                (model, registered.name, registered.number),
            )
