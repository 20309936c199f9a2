"""What runs and what is wanted, model by model: the supervisor's state beside routes, sizes and labels.

`/v1/status`, the pages and `/metrics` read this. It asks no process; a state file that is not there means nothing runs.
"""

from __future__ import annotations

import msgspec

from gyroscope.clock import SECOND_US, parse_event_time, wall_now
from gyroscope.errors import ProcessError
from gyroscope.monitoring.alert_look import ALERTS_FILE, Known, read_look
from gyroscope.records import Route
from gyroscope.supervisor import client
from gyroscope.supervisor.state import RunDir
from gyroscope.web.parts import Parts

EVENTS_READ_BYTES = 16_384
# Control looks every second; what it said a minute before it died says nothing about now.
LOOK_KEPT_US = 60 * SECOND_US


class ProcessSeen(msgspec.Struct, frozen=True):
    """One process as the supervisor last saw it."""

    name: str
    kind: str
    model: str
    state: str
    pid: int
    restarts: int
    reason: str
    since: str


class ModelSeen(msgspec.Struct, frozen=True):
    """One model: where its traffic goes, how many replicas are ready and wanted, its labels by state.

    `elsewhere`: something else serves it, so it has no routes and wants no replica.
    """

    name: str
    routes: tuple[Route, ...]
    replicas_ready: int
    replicas_wanted: int
    labels: dict[str, int]
    elsewhere: bool = False

    @property
    def routes_text(self) -> str:
        """Its versions with their shares, or what else they are, in words."""
        shares = ", ".join(
            f"{route.version} ({f'{route.share:.0%}' if route.share else route.role})" for route in self.routes
        )
        return shares or ("served elsewhere" if self.elsewhere else "no route yet")

    @property
    def replicas_text(self) -> str:
        """How many there are of how many, in words."""
        return "–" if self.elsewhere else f"{self.replicas_ready} of {self.replicas_wanted}"


class Event(msgspec.Struct, frozen=True):
    """One line of the supervisor's list: a start, a death, a kill, and why."""

    at: str
    process: str
    event: str
    reason: str


class Overview(msgspec.Struct, frozen=True):
    """Everything at one glance."""

    running: bool
    problem: str
    processes: tuple[ProcessSeen, ...]
    models: tuple[ModelSeen, ...]
    alerts: tuple[Known, ...] = ()


def overview(parts: Parts) -> Overview:
    """Read the present state."""
    try:
        seen = client.status(parts.run_dir) if parts.run_dir.is_dir() else {}
    except ProcessError as error:
        seen = {"problem": error.what}
    processes = tuple(msgspec.convert(one, ProcessSeen) for one in seen.get("processes", ()))
    models = tuple(_model(parts, name, processes) for name in parts.models.models())
    return Overview(seen.get("running", False), seen.get("problem", ""), processes, models, alerts(parts))


def alerts(parts: Parts) -> tuple[Known, ...]:
    """What stands now; nothing while control does not look, which is a process that does not run."""
    look = read_look(parts.runtime / ALERTS_FILE)
    return look.standing if look is not None and wall_now() - parse_event_time(look.at) < LOOK_KEPT_US else ()


def last_events(parts: Parts, most: int = 12) -> list[Event]:
    """The newest lines of the supervisor's list, newest first; a line cut short by a crash is passed over."""
    path = RunDir(parts.run_dir).events
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - EVENTS_READ_BYTES))
            lines = file.read().splitlines()
    except OSError:
        return []
    events = []
    for line in reversed(lines):
        try:
            events.append(msgspec.json.decode(line, type=Event))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
    return events[:most]


def _model(parts: Parts, name: str, processes: tuple[ProcessSeen, ...]) -> ModelSeen:
    routes = tuple(parts.routes.routes(name))
    answering = tuple(f"{name}-{route.version}-" for route in routes if route.role == "champion")
    ready = sum(one.kind == "replica" and one.state == "ready" and one.name.startswith(answering) for one in processes)
    wanted = parts.routes.replicas(name, parts.settings) if routes else 0
    versions = () if routes else parts.models.versions(name)
    elsewhere = bool(versions) and all(version.runner == "external" for version in versions)
    return ModelSeen(name, routes, ready, wanted, parts.labels.counts(name), elsewhere)
