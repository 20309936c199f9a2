"""Routes and sizes: compare-and-set, history, unknown versions, several processes at once."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from gyroscope.errors import GyroscopeError, ModelError, StoreError
from gyroscope.models.routes import Routes
from gyroscope.models.store import Candidate, ModelStore
from gyroscope.records import Feature, NotEnoughData, Route, Signature, Size


@pytest.fixture
def versions(tmp_path):
    (tmp_path / "t.txt").write_bytes(b"tree\n")
    store = ModelStore(tmp_path)
    signature = Signature("binary", (Feature("x"),))
    other = msgspec.structs.replace(signature, threshold=0.4)
    candidates = [Candidate("flights", "lightgbm", each, tmp_path / "t.txt") for each in (signature, other)]
    return [store.add(candidate, 1).version for candidate in candidates]


@pytest.fixture
def routes(tmp_path, versions):
    return Routes(tmp_path / "state.db")


def test_nothing_is_set_at_first(routes):
    assert routes.routes("flights") == []
    assert isinstance(routes.size("flights"), NotEnoughData)
    assert routes.revision("flights", "routes") == 0


def test_the_newest_change_holds_and_all_are_kept(routes, versions):
    a, b = versions
    assert routes.set_route(Route("flights", a), reason="first version", now=1) == 1
    canary = [Route("flights", a, 0.9), Route("flights", b, 0.1, "canary")]
    assert routes.set_routes("flights", canary, reason="canary", now=2, expected=1) == 2
    routes.set_size(Size("flights", 2), reason="by hand", now=3)
    assert routes.routes("flights") == canary
    assert routes.size("flights") == Size("flights", 2)
    history = routes.history("flights")
    assert [(change.kind, change.revision, change.reason, change.at) for change in history] == [
        ("routes", 1, "first version", 1),
        ("routes", 2, "canary", 2),
        ("size", 1, "by hand", 3),
    ]
    assert history[0].value == (Route("flights", a),)


def test_only_one_of_two_that_read_the_same_wins(routes, versions, tmp_path):
    def change(n):
        try:
            mine = Routes(tmp_path / "state.db")
            return mine.set_route(Route("flights", versions[n % 2]), reason=f"try {n}", now=n, expected=0)
        except StoreError as error:
            return error

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(change, range(8)))
    assert results.count(1) == 1
    refused = next(one for one in results if one != 1)
    assert "changed meanwhile" in refused.what
    assert len(routes.history("flights")) == 1


def test_history_cannot_be_rewritten(routes, versions, tmp_path):
    routes.set_route(Route("flights", versions[0]), reason="first", now=1)
    database = sqlite3.connect(tmp_path / "state.db")
    for statement in ("DELETE FROM control_changes", "UPDATE control_changes SET reason = 'other'"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            database.execute(statement)
    database.close()


@pytest.mark.parametrize(
    ("shares", "complaint"),
    [([0.5, 0.4], "add up to 0.9"), ([1.5, -0.5], "add up to 1"), ([], "no route")],
)
def test_shares_must_make_a_whole(routes, versions, shares, complaint):
    roles = ("champion", "canary")
    wanted = [Route("flights", *route) for route in zip(versions, shares, roles, strict=False)]
    with pytest.raises(ModelError, match=complaint):
        routes.set_routes("flights", wanted, reason="r", now=1)


@pytest.mark.parametrize(
    ("roles", "complaint"),
    [
        (("champion", "champion"), "2 routes as champion"),
        (("canary", "shadow"), "0 routes as champion"),
        (("shadow", "champion"), "answers nobody"),
    ],
)
def test_there_is_one_champion_and_nobody_answers_who_must_not(routes, versions, roles, complaint):
    wanted = [Route("flights", version, 0.5, role) for version, role in zip(versions, roles, strict=True)]
    with pytest.raises(ModelError, match=complaint):
        routes.set_routes("flights", wanted, reason="r", now=1)


def test_unknown_versions_models_and_missing_reasons_are_refused(routes, versions):
    a = versions[0]
    with pytest.raises(ModelError, match="has no version"):
        routes.set_route(Route("flights", "0" * 12), reason="r", now=1)
    with pytest.raises(ModelError, match="no model is called"):
        routes.set_size(Size("fligths", 1), reason="r", now=1)
    with pytest.raises(ModelError, match="cannot be"):
        routes.set_size(Size("flights", -1), reason="r", now=1)
    with pytest.raises(ModelError, match="two routes"):
        routes.set_routes("flights", [Route("flights", a, 0.5), Route("flights", a, 0.5)], reason="r", now=1)
    with pytest.raises(ModelError, match="names the model"):
        routes.set_routes("flights", [Route("other", a)], reason="r", now=1)
    with pytest.raises(GyroscopeError, match="needs a reason"):
        routes.set_route(Route("flights", a), reason=" ", now=1)
    assert routes.history("flights") == []


def test_a_damaged_database_is_a_store_error(tmp_path):
    (tmp_path / "state.db").write_bytes(b"this is no database, it is a text" * 100)
    with pytest.raises(StoreError, match="cannot be used"):
        Routes(tmp_path / "state.db").routes("flights")


def test_what_is_served_elsewhere_gets_no_traffic_here(routes, tmp_path):
    elsewhere = ModelStore(tmp_path).add(Candidate("flights", "external", Signature("binary", (Feature("x"),))), 1)
    with pytest.raises(ModelError, match="served elsewhere"):
        routes.set_route(Route("flights", elsewhere.version), reason="why not", now=1)
    assert routes.routes("flights") == []
