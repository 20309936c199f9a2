"""The MLflow server of a house: what models are fetched from it, and the two threads that follow it and tell it.

`gyro models add` and control come by here. It waits for nobody else: whoever rolls out never waits for a registry.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from gyroscope.assembly.following import follow
from gyroscope.assembly.house import House
from gyroscope.assembly.turns import each
from gyroscope.clock import SECOND_NS, MachineTime, machine_now
from gyroscope.errors import GyroscopeError, ModelError, StoreError
from gyroscope.models.registry.mlflow import Mlflow, Registered
from gyroscope.rollouts.telling import Telling

LOG = logging.getLogger(__name__)
FIRST_S, LAST_S = 1.0, 60.0
"""After the first failure it is asked again a second later, then each time twice as long after."""

FOLLOW_S = 30.0
"""How often it is asked what an alias names."""

PREFIX = "models:/"


def server_of(house: House) -> Mlflow:
    """The server of the settings. Raises `StoreError` when its credentials cannot be read, `ModelError` without one."""
    server = house.settings.mlflow
    if not server.tracking_uri:
        raise ModelError(
            "no MLflow server is named", where=str(house.settings_path), fix="mlflow: {tracking_uri: http://...}"
        )
    path = house.settings_path.parent / server.credentials
    try:
        credentials = path.read_text(encoding="utf-8").strip() if server.credentials else ""
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(
            f"the credentials of the MLflow server cannot be read: {error}",
            where=f"mlflow.credentials: {path}",
            fix="name a file with a token, or user:password, that we may read",
        ) from error
    if not credentials.isprintable() or not (credentials.isascii() or ":" in credentials):
        raise StoreError(  # here: what refuses it later says the secret itself
            "the credentials of the MLflow server are more than one line of text, or a token that is not ASCII",
            where=f"mlflow.credentials: {path}",
            fix="write one line: a token, or user:password",
        )
    return Mlflow(server.tracking_uri, credentials)


class RegistryTurns:
    """Follows the server and tells it, for every model of a house that comes from it, as control's threads call it.

    Each model's look waits by itself after a failure, less and less often: what is wrong with one, or with its source,
    keeps no other from being followed and nobody from being told.
    """

    def __init__(self, house: House) -> None:
        self._house = house
        self._waits: dict[tuple[str, str], tuple[float, MachineTime]] = {}

    def follow_once(self) -> None:
        """Take what the aliases newly name."""
        house = self._house
        sources = {name: policy.source for name, policy in house.settings.models.items() if policy.source}
        self._each("followed", sorted(sources), lambda one, server: follow(house, one, sources[one], server), FOLLOW_S)

    def tell_once(self) -> None:
        """Tell what is new."""
        house = self._house

        def tell(model: str, server: Mlflow) -> None:
            Telling(house.routes, house.challengers, house.registered, server).run_once(model)

        self._each("told", house.models.models(), tell, 0.0)

    def _each(self, done: str, models: list[str], look: Callable[[str, Mlflow], None], every_s: float) -> None:
        if self._house.settings.mlflow.tracking_uri:
            each("registry", models, lambda model: self._look(done, model, look, every_s))

    def _look(self, done: str, model: str, look: Callable[[str, Mlflow], None], every_s: float) -> None:
        """One look, if it is time; what goes wrong is said here or by `each`, and puts the next one off."""
        wait_s, next_at = self._waits.get((done, model), (FIRST_S, machine_now()))
        if machine_now() < next_at:
            return
        then_s, pause_s = min(2 * wait_s, LAST_S), wait_s
        try:
            look(model, server_of(self._house))
            then_s, pause_s = FIRST_S, every_s
        except GyroscopeError as error:
            LOG.warning("the registry is not %s for %s, again in %.0f s: %s", done, model, wait_s, error)
        finally:
            next_at = MachineTime(machine_now() + round(pause_s * SECOND_NS))
            self._waits[done, model] = then_s, next_at


@contextmanager
def fetched(house: House, artifact: str) -> Iterator[tuple[str, Registered | None]]:
    """The model file behind `models:/name@alias`, there until the end, and which version it is; others as they are."""
    if not artifact.startswith(PREFIX):
        yield artifact, None
        return
    server = server_of(house)
    found = server.find(artifact)
    with TemporaryDirectory() as folder:
        yield str(server.fetch(found, Path(folder))), found
