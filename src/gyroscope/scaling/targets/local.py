"""Replica processes on this machine: the wanted size is written down, and the supervisor makes it so.

The loop calls it. It starts and stops nothing itself.
"""

from __future__ import annotations

from gyroscope.clock import EventTime
from gyroscope.models.routes import Routes
from gyroscope.records import Size
from gyroscope.settings import Settings


class Local:
    """The sizes in `state.db`."""

    def __init__(self, routes: Routes, settings: Settings) -> None:
        self._routes = routes
        self._settings = settings

    def size(self, model: str) -> int:
        return self._routes.replicas(model, self._settings)

    def resize(self, model: str, replicas: int, reason: str, now: EventTime) -> None:
        revision = self._routes.revision(model, "size")
        if replicas != self.size(model):
            self._routes.set_size(Size(model, replicas), reason=reason, now=now, expected=revision)
