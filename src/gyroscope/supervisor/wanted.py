"""What should run, as a file: assembly writes it, the supervisor makes it so.

Frozen records and their JSON. It never looks at what does run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from gyroscope.errors import ProcessError, did_you_mean

WANTED_FILE = "wanted.json"


@dataclass(frozen=True)
class ProcessSpec:
    """One process. A replica is put into the door when its pulse says ready and killed when the pulse says it hangs.

    A service with a pulse or a socket counts as ready when the pulse says so or the socket answers; hang rules are
    not applied to it, since it may wait for a disk.
    """

    name: str
    argv: tuple[str, ...]
    kind: Literal["service", "replica", "door"] = "service"
    env: Mapping[str, str] = field(default_factory=dict)  # on top of the supervisor's own
    cwd: str = ""
    pulse: str = ""
    warm: tuple[str, ...] = ()  # the command of a process that can be told to be this one
    quarantine: str = ""  # the file of inputs that killed replicas of this version
    socket: str = ""
    model: str = ""
    log: str = ""
    stop_grace_s: float = 5.0  # from SIGTERM to SIGKILL
    idle_after_s: float = 0.0  # without a request for so long the model's replicas end until the next one; 0: never
    stop_last: bool = False  # the recorder: it still drains what the others wrote

    @property
    def is_shadow(self) -> bool:
        """A replica that nobody asks, and so nobody waits for."""
        return self.kind == "replica" and not self.socket


@dataclass(frozen=True)
class DoorSpec:
    """The HAProxy in front. `backends` maps each model to the requests that one of its replicas takes at once, until
    the replica says better. While several keys ask, one may fill `key_share` of what a model takes and lets wait.

    `deadline_s` is the longest a client may ask for. Bodies up to `repeat_bytes` are sent again by the door when a
    replica dies, larger ones by the repeater that listens on `repeater_socket`; without one they are not.
    `grpc_port` 0: gRPC is not spoken. An empty `binary` is looked up; an empty `default_model` is the only model, when
    there is one.
    """

    host: str
    port: int
    admin_socket: str
    backends: Mapping[str, int] = field(default_factory=dict)
    control_socket: str = ""
    default_model: str = ""
    body_bytes: int = 1_048_576
    repeat_bytes: int = 65_536
    repeater_socket: str = ""
    deadline_s: float = 60.0
    queue_s: float = 1.0
    key_share: float = 0.5
    grpc_port: int = 0
    binary: str = ""
    log: str = ""

    @property
    def ports(self) -> tuple[int, ...]:
        """What it listens on."""
        return (self.port, self.grpc_port) if self.grpc_port else (self.port,)


@dataclass(frozen=True)
class Split:
    """Who of a model's replicas takes no turn at the door, and which of these are offered a share of the requests.

    The `canaries`, called alike but for their slot, are asked first for that share, by a hash of the request; what they
    fail, those who take turns answer. Those of `aside` who are `standby` take turns while nobody else is ready to. A
    new champion that is watched is all three.
    """

    aside: tuple[str, ...] = ()
    standby: tuple[str, ...] = ()
    canaries: tuple[str, ...] = ()
    share: float = 0.0


@dataclass(frozen=True)
class Wanted:
    """Everything that should run; `door` is None where there is no HAProxy and the one replica listens itself."""

    processes: tuple[ProcessSpec, ...] = ()
    door: DoorSpec | None = None
    warm: int = 0  # how many processes wait to become a replica
    splits: Mapping[str, Split] = field(default_factory=dict)  # by model

    @property
    def aside(self) -> frozenset[str]:
        """Processes that nobody waits for: clients are served without them."""
        return frozenset(name for split in self.splits.values() for name in split.aside)


def read_wanted(path: Path | str) -> Wanted:
    """Read the file. Raises `ProcessError` when it is missing or not what `write_wanted` writes."""
    path = Path(path)
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        processes = tuple(_process(entry) for entry in plain["processes"])
        door = DoorSpec(**_known(DoorSpec, plain["door"])) if plain["door"] else None
        splits = {model: _split(entry) for model, entry in plain.get("splits", {}).items()}
        wanted = Wanted(processes, door, int(plain.get("warm", 0)), splits)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ProcessError(
            f"what should run cannot be read: {error}", where=str(path), fix="run 'gyro up' to write it again"
        ) from error
    _check(wanted, path)
    return wanted


def write_wanted(path: Path | str, wanted: Wanted) -> None:
    """Write the file in one step: a reader sees the old one or the new one. Only the owner may read it."""
    path = Path(path)
    _check(wanted, path)
    replace_file(path, json.dumps(asdict(wanted), indent=1))


def replace_file(path: Path, text: str) -> None:
    """Put a whole new text under a name, on disk before the name points at it, readable by the owner alone."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)


def _process(entry: dict[str, Any]) -> ProcessSpec:
    known = _known(ProcessSpec, entry)
    return ProcessSpec(**{**known, "argv": tuple(known["argv"]), "warm": tuple(known.get("warm", ()))})


def _split(entry: dict[str, Any]) -> Split:
    known = _known(Split, entry)
    lists = {name: tuple(known[name]) for name in ("aside", "standby", "canaries")}
    return Split(**lists, share=float(known["share"]))


def _known(kind: type, entry: dict[str, Any]) -> dict[str, Any]:
    names = {one.name for one in fields(kind)}
    for key in entry:
        if key not in names:
            raise ValueError(f"{kind.__name__} has no {key!r}; {did_you_mean(key, names)}")
    return entry


def _check(wanted: Wanted, path: Path) -> None:
    names = [spec.name for spec in wanted.processes]
    double = next((name for name in names if names.count(name) > 1 or name in ("door", "repeater")), "")
    if double:
        raise ProcessError(f"two processes are called {double!r}", where=str(path), fix="give each its own name")
    backends = wanted.door.backends if wanted.door else {}
    for spec in wanted.processes:
        if spec.kind == "replica" and wanted.door and spec.model not in backends:
            raise ProcessError(
                f"the door has no backend for {spec.name}",
                where=f"{path}  model {spec.model!r}",
                fix="add it to backends",
            )
