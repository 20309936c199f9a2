"""Routes and sizes: the two control handles, kept in `state.db` as an append-only list of changes.

The newest change of a model is what holds; the older ones are its history, each with its reason and time.
Assembly and the loops call this; it starts and stops nothing.
"""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from gyroscope.clock import EventTime
from gyroscope.database import Database, transaction
from gyroscope.errors import ModelError, StoreError, did_you_mean
from gyroscope.models.store import ModelStore
from gyroscope.records import NotEnoughData, Route, Size, Version
from gyroscope.settings import Settings
from gyroscope.settings_models import ModelPolicy

SHARE_TOLERANCE = 1e-9
REPLICA_LIMIT = 1_000

SCHEMA = """
CREATE TABLE IF NOT EXISTS control_changes (
    model TEXT NOT NULL, kind TEXT NOT NULL, revision INTEGER NOT NULL,
    value TEXT NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (model, kind, revision)
) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS control_changes_stay BEFORE UPDATE ON control_changes
    BEGIN SELECT RAISE(ABORT, 'history is append-only'); END;
CREATE TRIGGER IF NOT EXISTS control_changes_last BEFORE DELETE ON control_changes
    BEGIN SELECT RAISE(ABORT, 'history is append-only'); END;
"""

Kind = Literal["routes", "size"]


class Change(msgspec.Struct, frozen=True):
    """One entry of a model's history: what was set, as the n-th of its kind, why and when."""

    model: str
    kind: Kind
    revision: int
    value: tuple[Route, ...] | Size
    reason: str
    at: EventTime

    @property
    def routes(self) -> tuple[Route, ...]:
        """What was set as routes; none, where it was the size."""
        return self.value if isinstance(self.value, tuple) else ()


class Routes:
    """Routes and sizes of one home. Safe for many processes; each call is one transaction.

    A setter given `expected` (the revision that was read, 0 for none) changes nothing when another came first.
    """

    def __init__(self, state_db: Path) -> None:
        self._store = ModelStore(state_db.parent)
        self._database = Database(
            state_db,
            "the state database cannot be used",
            "check its owner, mode and the space left",
            SCHEMA,
            synchronous="FULL",
        )
        # Kept for reading: a disk that is frozen lets nobody open a database, and /metrics must go on saying so.
        self._lock = threading.Lock()
        self._reader: sqlite3.Connection | None = None

    def set_route(self, route: Route, *, reason: str, now: EventTime, expected: int | None = None) -> int:
        """Give one version all of its model's traffic; the new revision. Raises as `set_routes`."""
        return self.set_routes(
            route.model, [Route(route.model, route.version)], reason=reason, now=now, expected=expected
        )

    def set_routes(
        self, model: str, routes: Sequence[Route], *, reason: str, now: EventTime, expected: int | None = None
    ) -> int:
        """Replace all routes of a model; the new revision.

        Raises `ModelError` for an unknown version, shares that do not add up to 1, or anything but one champion,
        `StoreError` when `expected` is
        not the present revision or the database cannot be written.
        """
        self._check_routes(model, routes)
        value = msgspec.json.encode(list(routes)).decode()
        return self._append(model, "routes", value, _Why(reason, now, expected))

    def champion(self, model: str) -> Route | NotEnoughData:
        """The version that answers, or that none does yet."""
        found = [route for route in self.routes(model) if route.role == "champion"]
        return found[0] if found else NotEnoughData(f"no version of {model} is served")

    def routes(self, model: str) -> list[Route]:
        """The routes of a model; empty when none was ever set."""
        found = self._newest(model, "routes")
        return msgspec.json.decode(found[1], type=list[Route]) if found else []

    def set_size(self, size: Size, *, reason: str, now: EventTime, expected: int | None = None) -> int:
        """How many replicas a model is wanted to have; the new revision. Raises as `set_routes`."""
        if not self._store.versions(size.model):
            raise self._unknown_model(size.model)
        if not 0 <= size.replicas <= REPLICA_LIMIT:
            raise ModelError(
                f"{size.replicas} replicas of {size.model!r} cannot be",
                where="size",
                fix=f"choose 0 to {REPLICA_LIMIT}",
            )
        value = msgspec.json.encode(size).decode()
        return self._append(size.model, "size", value, _Why(reason, now, expected))

    def size(self, model: str) -> Size | NotEnoughData:
        """The wanted size, or that nobody has set one."""
        found = self._newest(model, "size")
        return msgspec.json.decode(found[1], type=Size) if found else NotEnoughData(f"no size was set for {model}")

    def replicas(self, model: str, settings: Settings) -> int:
        """The wanted size, or what the settings say where nobody has set one."""
        size = self.size(model)
        policy = settings.models.get(model, ModelPolicy())
        return policy.bounds.min if isinstance(size, NotEnoughData) else size.replicas

    def revision(self, model: str, kind: Kind) -> int:
        """The number of the newest change, for `expected`; 0 when there is none."""
        found = self._newest(model, kind)
        return found[0] if found else 0

    def history(self, model: str) -> list[Change]:
        """Every change of a model, oldest first."""
        with self._database.opened() as database:
            rows = database.execute(
                "SELECT model, kind, revision, value, reason, at FROM control_changes"
                " WHERE model = ? ORDER BY at, kind, revision",
                (model,),
            ).fetchall()
        return [Change(row[0], row[1], row[2], _decode(row[1], row[3]), row[4], EventTime(row[5])) for row in rows]

    def _check_routes(self, model: str, routes: Sequence[Route]) -> None:
        if not routes:
            raise ModelError(f"no route was given for {model!r}", where="routes", fix="name at least one version")
        seen = set()
        for route in routes:
            where = f"route to {route.version}"
            if route.model != model:
                raise ModelError(
                    f"a route of {model!r} names the model {route.model!r}", where=where, fix="route one model"
                )
            if route.version in seen:
                raise ModelError(f"version {route.version} has two routes", where=where, fix="add their shares up")
            seen.add(route.version)
            _check_servable(self._store.get(model, route.version))
        _check_roles(model, routes)
        total = sum(route.share for route in routes)
        if abs(total - 1) > SHARE_TOLERANCE or any(not 0 <= route.share <= 1 for route in routes):
            raise ModelError(
                f"the shares of {model!r} add up to {total:g}", where="routes", fix="shares from 0 to 1 with the sum 1"
            )

    def _unknown_model(self, model: str) -> ModelError:
        known = self._store.models()
        return ModelError(
            f"no model is called {model!r}", where=str(self._database.path.parent), fix=did_you_mean(model, known)
        )

    def _append(self, model: str, kind: Kind, value: str, why: _Why) -> int:
        if not why.reason.strip():
            raise ModelError(f"a change of the {kind} of {model!r} needs a reason", where=kind, fix="say why")
        with self._database.opened() as database, transaction(database):
            row = database.execute(
                "SELECT max(revision) FROM control_changes WHERE model = ? AND kind = ?", (model, kind)
            ).fetchone()
            present = row[0] or 0
            if why.expected is not None and why.expected != present:
                raise StoreError(
                    f"the {kind} of {model!r} changed meanwhile: revision {present}, expected {why.expected}",
                    where=str(self._database.path),
                    fix="read them again and decide anew",
                )
            database.execute(
                "INSERT INTO control_changes VALUES (?, ?, ?, ?, ?, ?)",
                (model, kind, present + 1, value, why.reason, why.now),
            )
        return int(present) + 1

    def _newest(self, model: str, kind: Kind) -> tuple[int, str] | None:
        with self._database.errors_named(), self._lock:
            row: tuple[int, str] | None = (
                self._reading()
                .execute(
                    "SELECT revision, value FROM control_changes"
                    " WHERE model = ? AND kind = ? ORDER BY revision DESC LIMIT 1",
                    (model, kind),
                )
                .fetchone()
            )
        return row

    def _reading(self) -> sqlite3.Connection:
        if self._reader is None:
            self._reader = self._database.connect()
            weakref.finalize(self, self._reader.close)
        return self._reader


class _Why(msgspec.Struct, frozen=True):
    reason: str
    now: EventTime
    expected: int | None


def _check_servable(version: Version) -> None:
    if version.runner == "external":
        raise ModelError(
            f"version {version.version} of {version.model!r} is served elsewhere; there is nothing here to serve",
            where=version.entry or version.version,
            fix="gyro models add with its artifact, or gyro predictions add with what it answered",
        )


def _check_roles(model: str, routes: Sequence[Route]) -> None:
    roles: list[str] = [route.role for route in routes]
    double = next((role for role in roles if roles.count(role) > 1), "" if "champion" in roles else "champion")
    if double:
        raise ModelError(
            f"{model!r} cannot have {roles.count(double)} routes as {double}", where="routes", fix="one version a role"
        )
    idle = [route.version for route in routes if route.share and route.role == "shadow"]
    if idle:
        raise ModelError(f"version {idle[0]} answers nobody and has a share", where="routes", fix="give it the share 0")


def _decode(kind: Kind, value: str) -> tuple[Route, ...] | Size:
    if kind == "size":
        return msgspec.json.decode(value, type=Size)
    return msgspec.json.decode(value, type=tuple[Route, ...])
