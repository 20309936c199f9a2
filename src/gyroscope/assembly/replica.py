"""A replica's process: one model version behind one socket, with its own segment and pulse.

Only the supervisor starts it. It imports neither the tables nor the pages: it must start fast and stay small.
"""

from __future__ import annotations

from pathlib import Path

from gyroscope.assembly.house import House
from gyroscope.assembly.plan import MIB, SHADOW, haproxy, replica_name
from gyroscope.assembly.priority import be_last
from gyroscope.models.runners import open_runner
from gyroscope.predictions.segments.file import segment_folder
from gyroscope.predictions.segments.log import LogPolicy, PredictionLog
from gyroscope.predictions.segments.privacy import Privacy, has_private
from gyroscope.records import Version
from gyroscope.serving.replica import Listen, ReplicaPlan, serve_replica
from gyroscope.settings import Door
from gyroscope.settings_models import ModelPolicy
from gyroscope.supervisor.door_config import grpc_socket
from gyroscope.supervisor.pulse import Pulse
from gyroscope.supervisor.quarantine import Quarantine


def run_replica(settings_path: Path, model: str, version_name: str, slot: int | str) -> None:
    """Load, warm up and serve until SIGTERM."""
    house = House(settings_path)
    serving, door = house.settings.serving, house.settings.door
    policy = house.settings.models.get(model, ModelPolicy())
    name = replica_name(model, version_name, slot)
    pulse = Pulse.create(house.pulse(name))
    version = house.models.get(model, version_name)
    log = open_log(house, name, version)
    listen, runner = _listen(door, str(house.socket(name))), open_runner(house.models, version, policy.threads)
    if slot == SHADOW:
        be_last()
    serve_replica(
        ReplicaPlan(
            version=version,
            runner=runner,
            log=log,
            pulse=pulse,
            quarantine=Quarantine(house.quarantine(model, version_name)),
            mirror=None if slot == SHADOW else house.mirror(model),
            copies=house.copies(name) if slot == SHADOW else None,
            listen=listen,
            deadline_s=serving.deadline_s,
            body_bytes=serving.body_mib * MIB,
            max_in_flight=serving.max_in_flight,
            batch_calls=policy.batch_calls or serving.batch_calls,
            key_digests=house.keys.api_key_digests,
            key_file=house.keys.digests_path,
        )
    )


def _listen(door: Door, socket: str) -> Listen:
    """At the door's own ports where there is no door."""
    if haproxy():
        return Listen(socket=socket, grpc=f"unix:{grpc_socket(socket)}" if door.grpc_port else "")
    host = f"[{door.host}]" if ":" in door.host else door.host
    return Listen(host=door.host, port=door.port, grpc=f"{host}:{door.grpc_port}" if door.grpc_port else "")


def open_log(house: House, name: str, version: Version) -> PredictionLog:
    """The log of one replica as the settings want it. Raises `StoreError` when a key is needed and cannot be had."""
    settings, model = house.settings, version.model
    serving = settings.serving
    # What must be safe on the disk lies in the home; what killed processes may leave behind, in memory.
    place = house.home if serving.log == "full" else house.runtime
    return PredictionLog(
        segment_folder(place, model),
        name,
        version,
        LogPolicy(
            mode=serving.log,
            on_failure=serving.on_log_failure,
            cap_bytes=serving.segment_cap_mib * MIB,
            keep_one_in=settings.models.get(model, ModelPolicy()).keep_one_in or serving.keep_one_in,
        ),
        privacy=Privacy.of(house.home) if has_private(version.signature) else None,
    )
