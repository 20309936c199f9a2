"""`gyro predictions erase`: one subject out of one model's log, by the recorder that runs or in its place.

Every erasure leaves a line in `<home>/logs/audit.log` that says how much went, and never whose it was.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from gyroscope.assembly.house import House
from gyroscope.clock import iso, wall_now
from gyroscope.errors import StoreError
from gyroscope.predictions.keeping.erasure import Erased, Subject
from gyroscope.predictions.keeping.errands import ask
from gyroscope.predictions.recording.recorder import Recorder, is_recording
from gyroscope.predictions.tables.rewrite import sync

AUDIT = "audit.log"


def erase_subject(house: House, model: str, subject: Subject) -> Erased:
    """Do it and write it down.

    Raises `ModelError` for a model that is not known, `StoreError` when it cannot be done.
    """
    house.signature_of(model)
    if not subject.value:
        raise StoreError("nobody is called by an empty text", where=subject.by, fix="name whose rows shall go")
    erased = ask(house.home, model, subject) if is_recording(house.home) else _alone(house, model, subject)
    write_audit(
        house.logs / AUDIT,
        {"what": "erase", "model": model, "by": subject.by, "rows": erased.rows, "labels": erased.labels},
    )
    return erased


def write_audit(path: Path, entry: dict[str, object]) -> None:
    """Add a line that is on the disk when this returns."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    line = msgspec.json.encode({"at": iso(wall_now()), "user": os.getuid(), **entry}) + b"\n"
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, line)
    finally:
        os.close(fd)
    sync(path)
    sync(path.parent)


def _alone(house: House, model: str, subject: Subject) -> Erased:
    recorder = Recorder(house.home, house.runtime, house.models.get, house.zone_of, commit_every_s=0)
    try:
        return recorder.erase(model, subject)
    finally:
        recorder.close()
