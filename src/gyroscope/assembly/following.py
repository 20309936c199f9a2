"""Follows an alias in a registry: a version that it newly names becomes a challenger here.

Control calls this in a thread of its own. It loads no model: what a version does, its shadow shows.
"""

from __future__ import annotations

import logging
from pathlib import Path
from tempfile import TemporaryDirectory

from gyroscope.assembly.house import House
from gyroscope.clock import wall_now
from gyroscope.errors import ModelError, StoreError
from gyroscope.models import Candidate
from gyroscope.models.formats import runner_of
from gyroscope.models.registry.mlflow import SOURCE, Mlflow, Registered
from gyroscope.records import RunnerName
from gyroscope.rollouts.moves import holder
from gyroscope.rollouts.telling import REASON, VERDICT

LOG = logging.getLogger(__name__)
REFUSED = "refused"
MOST_CHARACTERS = 500


def follow(house: House, model: str, source: str, server: Mlflow) -> None:
    """Look at the alias once. What the server, the store or the disk does not do now is raised as `StoreError`,
    `ModelError` or `OSError`: then the next look is as this one.

    What could not be served here whatever we do is fetched once, and the registry is told why. A version that came
    earlier, and is named again, tries again.
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
    except _UnfitError as error:
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
    return server.aliases(parts["name"]).get(parts["alias"])


def _taken(house: House, model: str, server: Mlflow, found: Registered) -> str:
    """The version that it is here. The same file again is the same version."""
    signature = house.signature_of(model)
    with TemporaryDirectory() as folder:
        path, runner = _fetched(server, found, Path(folder))
        version = house.models.add(Candidate(model, runner, signature, path), wall_now()).version
    house.registered.put(model, version, found)
    return version


def _fetched(server: Mlflow, found: Registered, folder: Path) -> tuple[Path, RunnerName]:
    """Its file and what runs it. The store asks no more of a file than this: what it refuses later is not its fault."""
    try:
        path = server.fetch(found, folder)
        return path, runner_of(path, "", "")
    except ModelError as error:
        if isinstance(error.__cause__, OSError):  # a disk that does not hand back what it took
            raise
        raise _UnfitError(error.what, where=error.where, fix=error.fix) from error


class _UnfitError(ModelError):
    """What this version is can never be served here."""
