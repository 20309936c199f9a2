"""The stores of one home, opened when asked for, and where its files lie.

Every process and command builds one `House` from the settings. It holds paths and stores, never a process.
"""

from __future__ import annotations

import hashlib
import os
import stat
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from gyroscope.errors import ModelError, StoreError, did_you_mean
from gyroscope.models.challengers import Challengers
from gyroscope.models.routes import Routes
from gyroscope.models.store import ModelStore
from gyroscope.records import Signature
from gyroscope.settings import Settings, read_settings
from gyroscope.settings_alerts import told

if TYPE_CHECKING:
    from gyroscope.alerts import Incidents
    from gyroscope.alerts.outbox import Outbox
    from gyroscope.models.registry.known import Known
    from gyroscope.monitoring.loop import Monitor
    from gyroscope.predictions.keeping.retention import Keeping
    from gyroscope.predictions.labels.labels import Labels
    from gyroscope.predictions.labels.sources import LabelSources
    from gyroscope.predictions.tables.table import Table
    from gyroscope.retraining.trainings import Trainings
    from gyroscope.signals.journal import Journal
    from gyroscope.signals.store import Signals
    from gyroscope.web.keys import Keys
    from gyroscope.web.parts import Parts

GIB = 1_024**3


class House:
    """Paths and stores of one `gyroscope.yaml`.

    A store's module is imported when it is asked for: a replica needs neither DuckDB nor the pages, and starts in
    half the time and memory without them.
    """

    def __init__(self, settings_path: Path) -> None:
        self.settings_path = settings_path.resolve()
        self.settings: Settings = read_settings(self.settings_path)
        self.home = self.settings.home_path
        self.runtime = self.settings.runtime_path
        self.run_dir = self.home / "run"
        self.logs = self.home / "logs"
        self.segments = self.runtime / "segments"

    def make_folders(self) -> None:
        """Private folders: keys, predictions and sockets are nobody else's business."""
        for folder in (self.home, self.run_dir, self.logs, self.home / "tables", self.runtime):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _check_own(self.runtime)
        for name in ("sockets", "pulses", "segments"):
            (self.runtime / name).mkdir(exist_ok=True, mode=0o700)

    def socket(self, process: str) -> Path:
        return self.runtime / "sockets" / f"{short(process)}.sock"

    def pulse(self, replica: str) -> Path:
        return self.runtime / "pulses" / f"{replica}.pulse"

    def mirror(self, model: str) -> Path:
        """Who wants copies of what the replicas of a model answer; not there when nobody does."""
        return self.runtime / "sockets" / f"{short(model)}.mirror"

    def copies(self, replica: str) -> Path:
        """Where a shadow takes them."""
        return self.socket(replica).with_suffix(".copies")

    def quarantine(self, model: str, version: str) -> Path:
        """Inputs that killed replicas of this version."""
        return self.runtime / "pulses" / f"{model}-{version}.quarantine"

    @cached_property
    def models(self) -> ModelStore:
        return ModelStore(self.home)

    @cached_property
    def routes(self) -> Routes:
        return Routes(self.home / "state.db")

    @cached_property
    def challengers(self) -> Challengers:
        return Challengers(self.home / "state.db")

    @cached_property
    def registered(self) -> Known:
        from gyroscope.models.registry.known import Known

        return Known(self.home / "state.db")

    @cached_property
    def signals(self) -> Signals:
        from gyroscope.signals.store import Signals

        return Signals(self.home / "state.db")

    @cached_property
    def labels(self) -> Labels:
        from gyroscope.predictions.labels.labels import Labels

        monitoring = self.settings.monitoring
        return Labels(
            self.home,
            self.signature_of,
            wait_days=monitoring.label_wait_days,
            horizon_days=monitoring.entity_horizon_days,
        )

    @cached_property
    def label_sources(self) -> LabelSources:
        from gyroscope.predictions.labels.sources import LabelSources

        return LabelSources(self.settings.label_sources, self.labels, self.home, self.settings_path.parent)

    @cached_property
    def incidents(self) -> Incidents:
        from gyroscope.alerts import Incidents

        return Incidents(self.home / "state.db", notifiers=tuple(told(self.settings.notifiers)))

    @cached_property
    def outbox(self) -> Outbox:
        from gyroscope.alerts.outbox import Outbox

        return Outbox(self.home / "state.db")

    @cached_property
    def keys(self) -> Keys:
        from gyroscope.web.keys import Keys

        return Keys(self.home)

    def table(self, model: str) -> Table:
        from gyroscope.predictions.tables.table import Table, table_path

        return Table(table_path(self.home, model))

    def signature_of(self, model: str) -> Signature:
        """What the labels of a model are held against: the signature of the version that gets most of the traffic.

        Raises `ModelError` for a model that is not known.
        """
        routes = sorted(self.routes.routes(model), key=lambda route: -route.share)
        if routes:
            return self.models.get(model, routes[0].version).signature
        versions = self.models.versions(model)
        if not versions:
            raise ModelError(
                f"no model is called {model!r}", where=str(self.home), fix=did_you_mean(model, self.models.models())
            )
        return versions[-1].signature

    @property
    def keeping(self) -> Keeping:
        """How long and how much of the log is kept."""
        from gyroscope.predictions.keeping.retention import Keeping

        log, models = self.settings.log, self.settings.models
        return Keeping(
            days={name: policy.retention_days for name, policy in models.items() if policy.retention_days >= 0},
            own_bytes={name: int(policy.budget_gib * GIB) for name, policy in models.items() if policy.budget_gib},
            shared_bytes=int(log.budget_gib * GIB),
            default_days=log.retention_days,
        )

    def zone_of(self, model: str) -> str:
        return self.settings.monitoring.timezone

    @cached_property
    def trainings(self) -> Trainings:
        from gyroscope.retraining.trainings import Trainings

        return Trainings(self.home / "state.db")

    @cached_property
    def journal(self) -> Journal:
        from gyroscope.signals.journal import Journal

        return Journal(self.home / "state.db")

    @cached_property
    def parts(self) -> Parts:
        """What the pages and the API are made of."""
        from gyroscope.web.parts import Parts

        return Parts(
            settings=self.settings,
            models=self.models,
            routes=self.routes,
            labels=self.labels,
            signals=self.signals,
            incidents=self.incidents,
            monitor=self.monitor,
            keys=self.keys,
            run_dir=self.run_dir,
            runtime=self.runtime,
            journal=self.journal,
            outbox=self.outbox,
        )

    @cached_property
    def monitor(self) -> Monitor:
        from gyroscope.monitoring.loop import Monitor, Stores

        stores = Stores(self.models, self.table, self.labels, self.signals, self.home / "monitoring.db")
        return Monitor(self.settings.monitoring, stores, self.incidents, self.settings.models)


def _check_own(folder: Path) -> None:
    """Anybody may write below /dev/shm: whoever made the folder first could swap the sockets and the log in it."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise StoreError(
            "this folder is not ours alone: another user could read keys and forge predictions there",
            where=str(folder),
            fix="remove it, or set runtime_dir to a folder of your own that nobody else may write to",
        )


def short(process: str) -> str:
    """A name that keeps the path of a socket below the kernel's 108 bytes, whatever the model is called."""
    return process if len(process) <= 32 else hashlib.sha256(process.encode()).hexdigest()[:16]
