"""What a registry is told of a rollout: aliases and tags that follow champion and challenger.

Control's thread for registries calls this, beside the loop of rollouts and never in it. What is wanted follows from
routes and challengers, so nothing is queued: whatever was not confirmed is told again, also after a kill.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from gyroscope.models.challengers import Challenger, Challengers
from gyroscope.models.registry.known import Fact, Known
from gyroscope.models.registry.mlflow import Registered
from gyroscope.models.routes import Routes
from gyroscope.records import Route
from gyroscope.rollouts import moves

CHAMPION, CHALLENGER = "champion", "challenger"
VERSION, VERDICT, REASON = "gyroscope.version", "gyroscope.verdict", "gyroscope.reason"
MOST_CHARACTERS = 500


class Registry(Protocol):
    """Where the models came from. Each call may take seconds and raises `StoreError` when it was not carried out."""

    def named(self, name: str, alias: str) -> Registered | None:
        """The version that an alias names now; None when it names none, or its model is gone."""
        ...

    def set_alias(self, version: Registered, alias: str) -> None:
        """Have an alias name this version, and no other. Idempotent."""
        ...

    def drop_alias(self, name: str, alias: str) -> None:
        """Have an alias name nothing. Idempotent."""
        ...

    def set_tag(self, version: Registered, key: str, value: str) -> None:
        """Set a tag of a version. Idempotent."""
        ...


class Telling:
    """The registered models of one home."""

    def __init__(self, routes: Routes, challengers: Challengers, known: Known, registry: Registry) -> None:
        self._routes = routes
        self._challengers = challengers
        self._known = known
        self._registry = registry

    def run_once(self, model: str) -> int:
        """Tell what is new; how many words that were. Raises `StoreError` at the first that is not taken."""
        registered = self._known.of(model)
        if not registered:
            return 0
        wanted = facts(self._routes.routes(model), self._challengers.every(model), registered)
        told = self._known.told(model)
        count = 0
        # First what is not so any more: an alias of nobody is true for a moment longer than one of the wrong version.
        for old in told:
            if old.is_alias and not any(_replaces(new, old) for new in wanted):
                if self._registry.named(old.of.name, old.key) == old.of:  # else somebody has moved it on
                    self._registry.drop_alias(old.of.name, old.key)
                told = self._confirmed(model, tuple(one for one in told if one != old))
                count += 1
        for new in wanted:
            if new in told:
                continue
            if new.is_alias:
                self._registry.set_alias(new.of, new.key)
            else:
                self._registry.set_tag(new.of, new.key, new.value)
            told = self._confirmed(model, (*(one for one in told if not _replaces(new, one)), new))
            count += 1
        return count

    def _confirmed(self, model: str, told: tuple[Fact, ...]) -> tuple[Fact, ...]:
        self._known.set_told(model, told)
        return told


def facts(
    routes: Sequence[Route], tries: Sequence[Challenger], registered: Mapping[str, Registered]
) -> tuple[Fact, ...]:
    """All that a registry should say of a model now. Pure.

    >>> of = {"new": Registered("churn", "2")}
    >>> [(one.key, one.of.number) for one in facts([Route("m", "old"), Route("m", "new", 0.0, "shadow")], (), of)][:2]
    [('challenger', '2'), ('gyroscope.version', '2')]
    """
    champion, challenger = moves.holder(routes, "champion"), moves.challenger(routes)
    waiting = [one.version for one in tries if one.state in ("waiting", "rolling")]
    aliases = {CHAMPION: champion, CHALLENGER: challenger or next(iter(waiting), "")}
    found = [Fact(registered[version], alias) for alias, version in aliases.items() if version in registered]
    for version, of in registered.items():
        found.append(Fact(of, VERSION, version))
        role = next((str(route.role) for route in routes if route.version == version), "")
        newest = next((one for one in reversed(tries) if one.version == version), None)
        verdict = role if newest is None or role in ("shadow", "canary") else str(newest.state)
        found.append(Fact(of, VERDICT, verdict or "not served"))  # said, since a role that is over stays else
        if newest is not None:
            found.append(Fact(of, REASON, newest.reason[:MOST_CHARACTERS]))
    return tuple(found)


def _replaces(new: Fact, old: Fact) -> bool:
    """An alias moves, a tag of one version changes."""
    if new.is_alias or old.is_alias:
        return new.is_alias and old.is_alias and (new.of.name, new.key) == (old.of.name, old.key)
    return (new.of, new.key) == (old.of, old.key)
