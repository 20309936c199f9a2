"""What should run, computed from settings, routes and sizes: the supervisor's wanted state.

`up` writes it once, control again whenever a route or a size changes. Pure but for reading the stores.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from functools import cache

from gyroscope.assembly.house import House
from gyroscope.assembly.priority import BEHIND_SERVING
from gyroscope.errors import ModelError, ProcessError
from gyroscope.records import Route
from gyroscope.rollouts.moves import held_back
from gyroscope.supervisor.door import find_binary
from gyroscope.supervisor.wanted import DoorSpec, ProcessSpec, Split, Wanted

KIB = 1_024
MIB = 1_048_576
# A drained recorder needs one commit per table; ten seconds of backlog on a slow disk fit in this.
RECORDER_GRACE_S = 30.0
LONGEST_DEADLINE_S = 60.0
SHADOW = "shadow"
"""The slot of the one replica that a shadow has."""
MOST = 0.5
"""Whoever is offered more than this share is who the size of a model is about."""
STANDS_BACK = (
    "/bin/sh",
    "-c",
    f'{{ echo {BEHIND_SERVING} > /proc/self/autogroup; }} 2> /dev/null; exec nice -n {BEHIND_SERVING} "$0" "$@"',
)
"""A third of the champion's share from its first instruction: one that dies again and again would else start at the
champion's expense. When it has started it stands back behind all."""


def wanted(house: House) -> Wanted:
    """Everything that should run for this home now."""
    binary = haproxy()
    replicas = _replicas(house, with_door=bool(binary))
    services = (_service(house, "control", with_door=bool(binary)), _service(house, "recorder", with_door=bool(binary)))
    return Wanted(
        processes=services + replicas,
        door=_door(house, binary) if binary else None,
        warm=house.settings.serving.warm,
        splits={model: split for model in house.models.models() if (split := _split(house, model)) != Split()},
    )


def served_replicas(plan: Wanted) -> dict[str, str]:
    """The replicas of a plan that the door knows: name -> model."""
    return {spec.name: spec.model for spec in plan.processes if spec.socket and spec.kind == "replica"}


def answering(plan: Wanted) -> dict[str, str]:
    """Those of them that answer most: the champion's; no canary, whose version has a speed of its own, and no standby.

    A new champion that is watched is at the door what a canary is, with most of the share.
    """
    most = {model: set(split.canaries) for model, split in plan.splits.items() if split.share > MOST}
    return {
        name: model
        for name, model in served_replicas(plan).items()
        if (name in most[model] if model in most else name not in plan.aside)
    }


@cache
def haproxy() -> str:
    """The HAProxy of this machine, "" without one; looked for once a process, since it means running it."""
    return find_binary()


def replica_name(model: str, version: str, slot: int | str) -> str:
    """The name under which processes, pulses and segments know a replica.

    >>> replica_name("flights", "0a1b2c3d4e5f", 1)
    'flights-0a1b2c3d4e5f-1'
    """
    return f"{model}-{version}-{slot}"


def control_port(house: House) -> int:
    """Without a door control listens beside the one replica."""
    return house.settings.door.port + 1


def _service(house: House, name: str, *, with_door: bool) -> ProcessSpec:
    is_recorder = name == "recorder"
    return ProcessSpec(
        name=name,
        argv=(sys.executable, "-m", "gyroscope.assembly", name, str(house.settings_path)),
        socket="" if is_recorder or not with_door else str(house.socket(name)),
        log=str(house.logs / f"{name}.log"),
        stop_grace_s=RECORDER_GRACE_S if is_recorder else 5.0,
        stop_last=is_recorder,
    )


def _replicas(house: House, *, with_door: bool) -> tuple[ProcessSpec, ...]:
    specs = [
        _replica(house, route, slot)
        for model in house.models.models()
        for route in house.routes.routes(model)
        # Who cannot send to one or the other has the champion alone.
        if with_door or route.role == "champion"
        for slot in _slots(house, route)
    ]
    if with_door or len(specs) < 2:
        return tuple(specs)
    models = {spec.model for spec in specs}
    if len(models) > 1:
        raise ProcessError(
            f"without HAProxy only one model can be served, not {', '.join(sorted(models))}",
            where=str(house.settings_path),
            fix="install HAProxy 2.6 or newer, or pip install 'gyroscope[haproxy]'",
        )
    # One port, one listener: `gyro doctor` says what a door would add.
    return tuple(specs[:1])


def _slots(house: House, route: Route) -> Sequence[int | str]:
    """A canary and a standby have as many replicas as the champion, since they may have to take its place at once."""
    return (SHADOW,) if route.role == "shadow" else range(house.routes.replicas(route.model, house.settings))


def _split(house: House, model: str) -> Split:
    routes = house.routes.routes(model)
    names = {
        route.role: tuple(replica_name(model, route.version, slot) for slot in _slots(house, route)) for route in routes
    }
    holdback = held_back(routes)
    if holdback:
        # A new champion is offered its requests as a canary is, so that the one before answers what it fails.
        new = names["champion"]
        return Split(new, new, new, 1 - holdback)
    share = sum(route.share for route in routes if route.role == "canary")
    aside = tuple(name for role, every in names.items() if role != "champion" for name in every)
    return Split(aside, names.get("standby", ()), names.get("canary", ()), share)


def _replica(house: House, route: Route, slot: int | str) -> ProcessSpec:
    model, version = route.model, route.version
    name, is_shadow = replica_name(model, version, slot), slot == SHADOW
    return ProcessSpec(
        name=name,
        argv=(
            *(STANDS_BACK if is_shadow else ()),
            sys.executable,
            "-m",
            "gyroscope.assembly",
            "replica",
            str(house.settings_path),
            model,
            version,
            str(slot),
        ),
        kind="replica",
        # One thread a replica: two replicas on two cores must not fight over them inside one small prediction.
        env={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        warm=() if is_shadow else (sys.executable, "-m", "gyroscope.assembly", "warm", str(house.settings_path)),
        pulse=str(house.pulse(name)),
        quarantine=str(house.quarantine(model, version)),
        idle_after_s=_idle_after_s(house),
        # A shadow is no server of the door: copies come to it another way.
        socket="" if is_shadow else str(house.socket(name)),
        model=model,
        log=str(house.logs / f"{name}.log"),
    )


def _idle_after_s(house: House) -> float:
    """Only a door can repeat what was asked of a model that slept, and over gRPC it repeats nothing."""
    can_wait = haproxy() and not house.settings.door.grpc_port
    return house.settings.serving.idle_after_s if can_wait else 0.0


def _door(house: House, binary: str) -> DoorSpec:
    settings = house.settings
    models = [name for name in house.models.models() if _is_served_here(house, name)]
    return DoorSpec(
        host=settings.door.host,
        port=settings.door.port,
        admin_socket=str(house.socket("admin")),
        backends=dict.fromkeys(models, settings.serving.max_in_flight),
        control_socket=str(house.socket("control")),
        default_model=models[0] if len(models) == 1 else "",
        body_bytes=settings.serving.body_mib * MIB,
        repeat_bytes=settings.door.repeat_kib * KIB,
        repeater_socket=str(house.socket("repeater")),
        deadline_s=LONGEST_DEADLINE_S,
        queue_s=settings.serving.deadline_s,
        key_share=settings.door.key_share,
        grpc_port=settings.door.grpc_port,
        binary=binary,
        log=str(house.logs / "door.log"),
    )


def _is_served_here(house: House, model: str) -> bool:
    return any(version.runner != "external" for version in house.models.versions(model))


def check_room(house: House) -> None:
    """Refuse to start where the segments would have no room at all: every prediction would go unlogged."""
    log = house.settings.serving.log
    place, setting = (house.home, "home") if log == "full" else (house.runtime, "runtime_dir")
    free = shutil.disk_usage(place).free
    if log != "off" and free < MIB:
        raise ModelError(
            f"the log has no room: {free} bytes free",
            where=str(place),
            fix=f"free space there, or choose another {setting} in gyroscope.yaml",
        )
