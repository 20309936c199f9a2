"""The recorder's process: drains the segments of this machine into the tables until it is told to stop.

Only the supervisor starts it, once per home. If it is killed, the next one goes on from the table's last commit.
"""

from __future__ import annotations

import signal
import threading
from pathlib import Path

from gyroscope.assembly.house import House
from gyroscope.assembly.priority import stand_back
from gyroscope.predictions.keeping.upkeep import Upkeep
from gyroscope.predictions.recording.recorder import Recorder


def run_recorder(settings_path: Path) -> None:
    """Run until SIGTERM; the last run drains what the stopped replicas wrote."""
    stand_back()
    house = House(settings_path)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    upkeep = Upkeep(house.home, house.keeping, house.zone_of)
    recorder = Recorder(house.home, house.runtime, house.models.get, house.zone_of, upkeep=upkeep)
    recorder.run_forever(stop)
    recorder.drain()
    recorder.close()
    upkeep.close()
