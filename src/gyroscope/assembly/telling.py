"""Says what should run: to the supervisor by its file, and to replicas whom to send copies of what they answer.

`gyro up`, control's loops and commands that change routes call this. It computes and writes; it starts nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

from gyroscope.assembly.house import House
from gyroscope.assembly.plan import SHADOW, replica_name, wanted
from gyroscope.errors import ProcessError
from gyroscope.supervisor.wanted import WANTED_FILE, Wanted, read_wanted, replace_file, write_wanted


def tell(house: House) -> Wanted:
    """Write what the stores say should run, where it is not said yet, and return it."""
    path = house.run_dir / WANTED_FILE
    # Read and written as one: else control could put back what it computed before somebody's change.
    with _alone(house):
        plan = wanted(house)
        try:
            is_said = plan == read_wanted(path)
        except ProcessError:
            is_said = False
        if not is_said:
            write_wanted(path, plan)
        for model in house.models.models():
            _mirror(house, model)
    return plan


def _mirror(house: House, model: str) -> None:
    shadow = [route.version for route in house.routes.routes(model) if route.role == "shadow"]
    file = house.mirror(model)
    if not shadow:
        file.unlink(missing_ok=True)
        return
    copies = str(house.copies(replica_name(model, shadow[0], SHADOW)))
    text = json.dumps({"socket": copies, "share": house.settings.rollouts.copies})
    if not file.is_file() or file.read_text(encoding="utf-8") != text:
        replace_file(file, text)


def tell_if_running(house: House) -> None:
    """For commands: what was never started hears of a change when it is."""
    if (house.run_dir / WANTED_FILE).is_file():
        tell(house)


@contextmanager
def _alone(house: House) -> Iterator[None]:
    lock = os.open(house.run_dir / "telling.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
