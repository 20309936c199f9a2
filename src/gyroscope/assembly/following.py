"""Follows an alias in a registry: a version that it newly names becomes a challenger here.

Control's thread for registries calls this before it tells. It loads no model: what a version does, its shadow shows.
"""

from __future__ import annotations

import logging
from pathlib import Path
from tempfile import TemporaryDirectory

from gyroscope.assembly.house import House
from gyroscope.clock import wall_now
from gyroscope.errors import GyroscopeError, StoreError
from gyroscope.models import Candidate
from gyroscope.models.formats import runner_of
from gyroscope.models.registry.mlflow import SOURCE, Mlflow, Registered
from gyroscope.rollouts.moves import holder
from gyroscope.rollouts.telling import REASON, VERDICT

LOG = logging.getLogger(__name__)
REFUSED = "refused"
MOST_CHARACTERS = 500


def follow(house: House, model: str, source: str, server: Mlflow) -> None:
    """Look at the alias once. Raises `StoreError` when the server does not answer: then the next look is as this one.

    What could not be served here is fetched once, and the registry is told why. A version that came earlier, and is
    named again, tries again.
    """
    found = _named(server, source)
    if found is None or found == house.registered.followed(model):
        return
    if not house.models.versions(model):
        raise StoreError(
            f"nobody has added a version of {model} yet, whose signature the next ones have",
            where=f"models.{model}.source: {source}",
            fix=f"gyro models add {model} {source} --signature FILE",
        )
    known = [version for version, registered in house.registered.of(model).items() if registered == found]
    try:
        version = known[0] if known else _taken(house, model, server, found)
    except StoreError:
        raise
    except GyroscopeError as error:
        LOG.error("version %s of %s cannot become a challenger of %s: %s", found.number, found.name, model, error)
        server.set_tag(found, VERDICT, REFUSED)
        server.set_tag(found, REASON, str(error)[:MOST_CHARACTERS])
    else:
        if version != holder(house.routes.routes(model), "champion"):
            house.challengers.propose(model, version, source, wall_now())
    house.registered.set_followed(model, found)


def _named(server: Mlflow, source: str) -> Registered | None:
    parts = SOURCE.fullmatch(source)
    assert parts is not None, "the settings take nothing else"
    return server.named(parts["name"], parts["alias"])


def _taken(house: House, model: str, server: Mlflow, found: Registered) -> str:
    """The version that it is here. The same file again is the same version."""
    signature = house.signature_of(model)
    with TemporaryDirectory() as folder:
        path = server.fetch(found, Path(folder))
        candidate = Candidate(model, runner_of(path, "", ""), signature, path)
        version = house.models.add(candidate, wall_now()).version
    house.registered.put(model, version, found)
    return version
