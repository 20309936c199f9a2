"""The repeater: a second HAProxy with buffers as large as the body cap, for the few requests that the door cannot keep.

To repeat a request HAProxy copies a whole buffer, so the door's are small and large bodies take a way round: door,
repeater, back into the door, replica. `gate.py` runs it as a service; while it is away they go straight on, unrepeated.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from string import Template

from gyroscope.supervisor.door_config import HEADER_ROOM_BYTES, MEMORY_BYTES, back_socket, hard_stop_s, quoted
from gyroscope.supervisor.wanted import DoorSpec, ProcessSpec

NAME = "repeater"
_BUFFERS = 3  # of each request: what came, the copy, the answer


def render(door: DoorSpec) -> str:
    """Its whole configuration. Raises `ProcessError` for a path that HAProxy's language would misread."""
    bufsize = door.body_bytes + HEADER_ROOM_BYTES
    return Template(Path(__file__).with_name("repeater.cfg").read_text(encoding="utf-8")).substitute(
        maxconn=max(2, MEMORY_BYTES // (bufsize * _BUFFERS)),
        bufsize=bufsize,
        hard_stop_s=f"{hard_stop_s(door):g}s",
        server_s=f"{round(1000 * (door.deadline_s + 5))}ms",
        socket=quoted(door.repeater_socket),
        back_socket=quoted(back_socket(door.repeater_socket)),
    )


def process(door: DoorSpec, binary: str, config: Path) -> ProcessSpec:
    """What the supervisor starts; another configuration is another process."""
    digest = hashlib.sha256(render(door).encode()).hexdigest()[:16]
    return ProcessSpec(
        name=NAME,
        argv=(binary, "-db", "-f", str(config)),
        env={"GYROSCOPE_REPEATER": digest},
        socket=door.repeater_socket,
        log=str(Path(door.log).with_name("repeater.log")) if door.log else "",
    )
