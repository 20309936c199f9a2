"""What the application is made of; assembly fills it in, every route reads it from `request.app.state.parts`.

Stores and paths only: nothing here answers a request.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gyroscope.errors import InputError, did_you_mean
from gyroscope.models.routes import Routes
from gyroscope.models.store import ModelStore
from gyroscope.records import Version
from gyroscope.settings import Settings
from gyroscope.signals.journal import Journal
from gyroscope.signals.store import Signals
from gyroscope.web.keys import Keys

if TYPE_CHECKING:  # a replica and `gyro up` come by here: neither needs DuckDB and Delta
    from gyroscope.alerts import Incidents
    from gyroscope.alerts.outbox import Outbox
    from gyroscope.monitoring.loop import Monitor
    from gyroscope.predictions.labels.labels import Labels


class Parts(msgspec.Struct, frozen=True):
    """The stores of one home. `run_dir` is the supervisor's folder, `runtime` holds the replicas' pulses.

    `settle` has the loops of this process catch up, and says what is still missing; only control has loops.
    """

    settings: Settings
    models: ModelStore
    routes: Routes
    labels: Labels
    signals: Signals
    incidents: Incidents
    monitor: Monitor
    keys: Keys
    run_dir: Path
    runtime: Path
    journal: Journal
    outbox: Outbox
    settle: Callable[[], str] | None = None


def cookie_name(parts: Parts) -> str:
    """Browsers share cookies between all ports of a host: two homes must not sign each other out."""
    return f"gyroscope_{parts.settings.door.port}"


def check_model(parts: Parts, name: str) -> str:
    """The name, if there is such a model. Raises `InputError` (404) otherwise."""
    known = parts.models.models()
    if name not in known:
        raise InputError(f"no model is called {name!r}", where="model", fix=did_you_mean(name, known), status=404)
    return name


def shown_version(parts: Parts, name: str) -> Version:
    """The version of a model with the largest share; the newest when none has a route."""
    routes = sorted(parts.routes.routes(name), key=lambda route: route.share)
    return parts.models.get(name, routes[-1].version) if routes else parts.models.versions(name)[-1]
