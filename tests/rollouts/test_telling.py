"""A registry follows the rollout: each word until it is taken, none twice, whatever fails or is killed when."""

from __future__ import annotations

import pytest
from tests.models.registry.answering import answering

from gyroscope.clock import EventTime
from gyroscope.errors import StoreError
from gyroscope.models import Candidate
from gyroscope.models.challengers import Challengers
from gyroscope.models.registry.known import Known
from gyroscope.models.registry.mlflow import Mlflow, Registered
from gyroscope.models.routes import Routes
from gyroscope.models.store import ModelStore
from gyroscope.records import Feature, Route, Signature
from gyroscope.rollouts.telling import Telling


class Registry:
    """Keeps what it is told; the n-th word fails, before or after it was taken."""

    def __init__(self) -> None:
        self.aliases: dict[str, str] = {}
        self.tags: dict[tuple[str, str], str] = {}
        self.words, self.fail_at = 0, 0

    def named(self, name, alias):
        return Registered(name, self.aliases[alias]) if alias in self.aliases else None

    def set_alias(self, version, alias):
        self._say(self.aliases.__setitem__, alias, version.number)

    def drop_alias(self, name, alias):
        self._say(self.aliases.pop, alias, None)

    def set_tag(self, version, key, value):
        self._say(self.tags.__setitem__, (version.number, key), value)

    def _say(self, act, *words):
        self.words += 1
        if self.words == self.fail_at:
            raise StoreError("down")
        act(*words)
        if self.words == -self.fail_at:
            raise StoreError("down after it was done")


@pytest.fixture
def home(tmp_path):
    (tmp_path / "t.txt").write_bytes(b"tree\n")
    store = ModelStore(tmp_path)
    for n in (1, 2):
        signature = Signature("binary", (Feature("x"),), threshold=0.1 * n)
        store.add(Candidate("m", "lightgbm", signature, tmp_path / "t.txt"), n)
    return tmp_path


def followed(home, fail_at: int) -> tuple[Registry, bool]:
    """A rollout, its promotion and the way back, told at each step until all is taken."""
    database = home / f"{fail_at}.db"
    old, new = (one.version for one in ModelStore(home).versions("m"))
    routes, challengers, known = Routes(home / "state.db"), Challengers(database), Known(database)
    known.put("m", old, Registered("churn", "1"))
    known.put("m", new, Registered("churn", "2"))
    registry, failed = Registry(), False
    registry.fail_at = fail_at
    challengers.propose("m", new, "the test", EventTime(2))
    ways = (
        ("rolling", [Route("m", old), Route("m", new, 0.0, "shadow")], {"champion": "1", "challenger": "2"}, "shadow"),
        ("promoted", [Route("m", new, 0.9), Route("m", old, 0.1, "standby")], {"champion": "2"}, "promoted"),
        ("rolled_back", [Route("m", old)], {"champion": "1"}, "rolled_back"),
    )
    for state, wanted, aliases, verdict in ways:
        routes.set_routes("m", wanted, reason="a step", now=EventTime(3))
        challengers.turn(challengers.every("m")[0], state, f"because {state}", EventTime(4))
        for _ in range(2):
            try:
                Telling(routes, challengers, known, registry).run_once("m")
            except StoreError:
                failed = True
        assert registry.aliases == aliases
        assert registry.tags["2", "gyroscope.verdict"] == verdict
        assert registry.tags["2", "gyroscope.reason"] == f"because {state}"
        assert registry.tags["2", "gyroscope.version"] == new
        assert Telling(routes, challengers, known, registry).run_once("m") == 0, "nothing is said twice"
    return registry, failed


def test_aliases_and_tags_follow_whatever_word_is_lost(home):
    assert followed(home, 0)[0].words > 8
    assert all(followed(home, fail_at)[1] for fail_at in (1, -1, 2, -4, 5, -6, 8, -8))


def test_a_role_that_is_over_is_taken_back_in_the_registry_too(home):
    old, new = (one.version for one in ModelStore(home).versions("m"))
    routes, challengers, known = (kind(home / "state.db") for kind in (Routes, Challengers, Known))
    known.put("m", old, Registered("churn", "1"))
    registry, said = Registry(), []
    for wanted in ([Route("m", old)], [Route("m", new), Route("m", old, 0.0, "standby")], [Route("m", new)]):
        routes.set_routes("m", wanted, reason="a step", now=EventTime(3))
        Telling(routes, challengers, known, registry).run_once("m")
        said.append(registry.tags["1", "gyroscope.verdict"])
    assert said == ["champion", "standby", "not served"]


def test_a_model_that_came_from_elsewhere_is_nobodys_business(home):
    registry = Registry()
    database = home / "state.db"
    assert Telling(Routes(database), Challengers(database), Known(database), registry).run_once("m") == 0
    assert not registry.words


def test_an_alias_that_somebody_moved_on_meanwhile_is_theirs(home):
    database, registry = home / "state.db", Registry()
    new = ModelStore(home).versions("m")[1].version
    routes, challengers, known = Routes(database), Challengers(database), Known(database)
    known.put("m", new, Registered("churn", "2"))
    challenger = challengers.propose("m", new, "the test", EventTime(2))
    telling = Telling(routes, challengers, known, registry)
    telling.run_once("m")
    assert registry.aliases == {"challenger": "2"}
    registry.aliases["challenger"] = "3"
    challengers.turn(challenger, "rolled_back", "more errors", EventTime(4))
    telling.run_once("m")
    assert registry.aliases == {"challenger": "3"}
    assert telling.run_once("m") == 0


def test_a_registered_model_that_was_deleted_keeps_no_word_about_another_from_being_said(home):
    database = home / "state.db"
    old, new = (one.version for one in ModelStore(home).versions("m"))
    routes, challengers, known = Routes(database), Challengers(database), Known(database)
    known.put("m", old, Registered("churn", "1"))
    routes.set_routes("m", [Route("m", old)], reason="a step", now=EventTime(3))
    challenger = challengers.propose("m", old, "the test", EventTime(2))
    with answering() as server:  # it knows of nothing any more
        telling = Telling(routes, challengers, known, Mlflow(server.uri))
        assert telling.run_once("m") == 5
        routes.set_routes("m", [Route("m", new)], reason="a step", now=EventTime(4))
        challengers.turn(challenger, "rolled_back", "more errors", EventTime(5))
        known.put("m", new, Registered("churn-2", "1"))
        assert telling.run_once("m") > 5
        assert not any(method == "DELETE" for method, *_ in server.asked)
    assert ("churn-2", "champion") in [(one.of.name, one.key) for one in known.told("m")]
    assert ("churn", "challenger") not in [(one.of.name, one.key) for one in known.told("m")]
