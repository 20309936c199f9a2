"""The steps of a rollout, each as new routes from the present ones: a challenger's way up and the way back. Pure.

The routes are the state of a rollout: whoever is killed between two steps finds in them where it was, and each step
is one change of them. Nothing is written here.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gyroscope.errors import ModelError
from gyroscope.records import Route, RouteRole

Routes = Sequence[Route]


def holder(routes: Routes, role: RouteRole) -> str:
    """The version that has a role; empty when none has."""
    return next((route.version for route in routes if route.role == role), "")


def to_shadow(routes: Routes, version: str) -> list[Route]:
    """The challenger is sent copies.

    >>> [route.role for route in to_shadow([Route("m", "old")], "new")]
    ['champion', 'shadow']

    Raises `ModelError` when another challenger is on its way, or this one is served already.
    """
    model = _idle(routes, version)
    return [*(route for route in routes if route.version != version), Route(model, version, 0.0, "shadow")]


def to_canary(routes: Routes, version: str, share: float) -> list[Route]:
    """The challenger is offered a share of the requests; one that is a canary already, another share.

    >>> [(route.version, route.share, route.role) for route in to_canary([Route("m", "old")], "new", 0.25)]
    [('old', 0.75, 'champion'), ('new', 0.25, 'canary')]

    Raises `ModelError` when another challenger is on its way, or this one is the champion.
    """
    model = _idle([route for route in routes if route.version != version or route.role == "champion"], version)
    champion = Route(model, holder(routes, "champion"), 1 - share)
    return [champion, Route(model, version, share, "canary"), *_standing(routes, version)]


def to_champion(routes: Routes, holdback: float = 0.0) -> list[Route]:
    """The canary becomes champion, and the champion of before stands by; with a holdback it keeps that share meanwhile.

    >>> canary = to_canary([Route("m", "old")], "new", 0.25)
    >>> [(route.version, route.share, route.role) for route in to_champion(canary, 0.05)]
    [('new', 0.95, 'champion'), ('old', 0.05, 'standby')]

    Of a champion with a holdback: the holdback ends. Raises `ModelError` when there is neither; a canary alone has all
    the replicas that a champion needs.
    """
    version = holder(routes, "canary")
    if not version and held_back(routes):
        return to_whole(routes)
    if not version:
        raise ModelError("there is no canary to promote", where="routes", fix="gyro rollouts canary MODEL VERSION")
    model = routes[0].model
    return [Route(model, version, 1 - holdback), Route(model, holder(routes, "champion"), holdback, "standby")]


def to_whole(routes: Routes) -> list[Route]:
    """The holdback ends: the champion answers everything, and who stands by nothing.

    >>> [route.share for route in to_whole([Route("m", "new", 0.9), Route("m", "old", 0.1, "standby")])]
    [1.0, 0.0]
    """
    return [msgspec.structs.replace(route, share=float(route.role == "champion")) for route in routes]


def back(routes: Routes) -> list[Route]:
    """The newest version is taken back: a challenger on its way, else the champion, for whom the standby steps in.

    >>> [(route.version, route.role) for route in back(to_champion(to_canary([Route("m", "old")], "new", 0.25)))]
    [('old', 'champion')]

    Raises `ModelError` when there is nobody to go back to.
    """
    champion, standby = holder(routes, "champion"), holder(routes, "standby")
    if challenger(routes):
        return [Route(routes[0].model, champion), *_standing(routes, "")]
    if not standby:
        raise ModelError(
            "there is no version to go back to: none stands by",
            where="routes",
            fix="gyro models serve MODEL VERSION serves an older one; see gyro models show",
        )
    return [Route(routes[0].model, standby)]


def without_standby(routes: Routes) -> list[Route]:
    """Nobody stands by any more."""
    return [route for route in to_whole(routes) if route.role != "standby"]


def held_back(routes: Routes) -> float:
    """The share that the champion of before keeps while the new one is watched; 0 when it is not, or not any more."""
    return next((route.share for route in routes if route.role == "standby"), 0.0)


def taken_back(before: Routes, after: Routes) -> str:
    """The champion that made room for the one before it, between two changes of the routes; empty when none did.

    >>> taken_back([Route("m", "new"), Route("m", "old", 0.0, "standby")], [Route("m", "old")])
    'new'
    """
    standby = holder(before, "standby")
    return holder(before, "champion") if standby and standby == holder(after, "champion") else ""


def challenger(routes: Routes) -> str:
    """The version that is on its way; empty when none is."""
    return holder(routes, "canary") or holder(routes, "shadow")


def _idle(routes: Routes, version: str) -> str:
    """The model, when this version may set out."""
    other = challenger(routes)
    champion = holder(routes, "champion")
    if held_back(routes):
        raise ModelError(
            f"version {champion} became champion a short while ago and is still watched",
            where="routes",
            fix="wait for the end of its holdback, or end it: gyro rollouts promote MODEL, gyro rollback MODEL",
        )
    if not champion:
        raise ModelError("no version is served yet", where="routes", fix="gyro models serve MODEL VERSION")
    if other or version == champion:
        raise ModelError(
            f"version {other} is on its way" if other else f"version {version} is the champion",
            where="routes",
            fix="gyro rollback MODEL takes a challenger back" if other else "choose another version",
        )
    return routes[0].model


def _standing(routes: Routes, version: str) -> list[Route]:
    return [route for route in routes if route.role == "standby" and route.version != version]
