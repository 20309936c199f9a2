"""A process that waits to become a replica: everything that takes time and does not depend on which is done before.

Only the supervisor starts it, and tells it in one line what to be. It loads no model and opens no socket before.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
from pathlib import Path

from gyroscope import backends
from gyroscope.assembly import replica
from gyroscope.assembly.house import House
from gyroscope.assembly.plan import haproxy
from gyroscope.errors import GyroscopeError
from gyroscope.supervisor.processes import open_log


def told_to_be(settings_path: Path) -> list[str]:
    """Warm up and wait: the arguments of the replica to be, nothing when the supervisor has gone."""
    house = House(settings_path)
    _import_runners(house)
    if house.settings.door.grpc_port:
        with contextlib.suppress(ImportError):  # the replica will say what is missing
            importlib.import_module("gyroscope.serving.grpc")
    haproxy()
    line = sys.stdin.readline()
    if not line:
        return []
    orders = json.loads(line)
    if orders["log"]:
        with open_log(orders["log"]) as log:
            for stream in (sys.stdout, sys.stderr):
                os.dup2(log.fileno(), stream.fileno())
    words: list[str] = orders["argv"]
    return words[words.index(replica.__package__) + 1 :]


def _import_runners(house: House) -> None:
    """The libraries of the models that have a route."""
    for model in house.models.models():
        for route in house.routes.routes(model):
            try:
                backends.load("runners", house.models.get(model, route.version).runner)
            except GyroscopeError:
                continue  # the replica of that model will say so
