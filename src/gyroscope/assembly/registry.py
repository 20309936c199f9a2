"""The MLflow server of a house: what models are fetched from it, and the thread that follows it and tells it.

`gyro models add` and control come by here. It waits for nobody else: whoever rolls out never waits for a registry.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from gyroscope.assembly.following import follow
from gyroscope.assembly.house import House
from gyroscope.clock import SECOND_NS, MachineTime, machine_now
from gyroscope.errors import ModelError, StoreError
from gyroscope.models.registry.mlflow import Mlflow, Registered
from gyroscope.rollouts.telling import Telling
from gyroscope.settings_models import ModelPolicy

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
    """Follows the server and tells it, for every model of a house that comes from it, as control's thread calls it."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._waits: dict[str, tuple[float, MachineTime]] = {}
        self._follow_at: dict[str, MachineTime] = {}

    def run_once(self) -> None:
        """Take and tell what is new; while the server does not answer, less and less often."""
        house = self._house
        if not house.settings.mlflow.tracking_uri:
            return
        followed = {name for name, policy in house.settings.models.items() if policy.source}
        for model in sorted(followed | set(house.models.models())):
            wait_s, next_at = self._waits.get(model, (FIRST_S, machine_now()))
            if machine_now() < next_at:
                continue
            try:
                server = server_of(house)
                self._follow(model, server)
                Telling(house.routes, house.challengers, house.registered, server).run_once(model)
                self._waits.pop(model, None)
            except StoreError as error:
                LOG.warning("the registry is asked about %s again in %.0f s: %s", model, wait_s, error)
                next_at = MachineTime(machine_now() + round(wait_s * SECOND_NS))
                self._waits[model] = min(2 * wait_s, LAST_S), next_at

    def _follow(self, model: str, server: Mlflow) -> None:
        source = self._house.settings.models.get(model, ModelPolicy()).source
        if source and machine_now() >= self._follow_at.get(model, 0):
            follow(self._house, model, source, server)
            self._follow_at[model] = MachineTime(machine_now() + round(FOLLOW_S * SECOND_NS))


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
