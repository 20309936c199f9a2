"""Control's process: pages, API and labels under uvicorn, and the loops that measure, beside them in threads.

Only the supervisor starts it. If it dies, serving, recording and supervision go on.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import uvicorn

from gyroscope.alerts.watch import Rules
from gyroscope.assembly.house import House
from gyroscope.assembly.notifying import deliveries
from gyroscope.assembly.plan import control_port, served_replicas
from gyroscope.assembly.priority import stand_back
from gyroscope.assembly.registry import RegistryTurns
from gyroscope.assembly.retraining import RetrainingTurns
from gyroscope.assembly.rollouts import RolloutTurns
from gyroscope.assembly.ruling import rules
from gyroscope.assembly.scaling import scaler
from gyroscope.assembly.settling import Settling
from gyroscope.assembly.telling import tell
from gyroscope.clock import SECOND_NS, machine_now, wall_now
from gyroscope.monitoring.alert_look import Lookout, as_signals, stood
from gyroscope.monitoring.traffic import Traffic
from gyroscope.supervisor.wanted import WANTED_FILE, read_wanted
from gyroscope.web.app import create_app

LOG = logging.getLogger(__name__)
SAMPLE_S = 1.0
# What a canary breaks is taken back after two or three looks.
ROLLOUTS_S = 0.1
NOTIFIERS_S = 0.2
END_S = 5.0
"""What the loops have together to finish their turns; a letter that is under way is sent again after the next start."""


def run_control(settings_path: Path) -> None:
    """Serve until SIGTERM."""
    stand_back()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    house = House(settings_path)
    stop = threading.Event()
    lookout = Lookout(house.home, house.runtime, is_logging=house.settings.serving.log != "off")
    watched, retraining, rollouts = rules(house), RetrainingTurns(house), RolloutTurns(house)
    loops = [
        threading.Thread(target=_repeat, args=(name, step, every_s, stop), daemon=True, name=name)
        for name, step, every_s in turns(house, lookout, watched, retraining, rollouts)
    ]
    server = uvicorn.Server(_config(house, Settling(house, watched, retraining, rollouts)))
    for loop in loops:
        loop.start()
    server.run()
    stop.set()
    end = machine_now() + END_S * SECOND_NS
    for loop in loops:
        loop.join(timeout=max(0.0, (end - machine_now()) / SECOND_NS))


def turns(
    house: House, lookout: Lookout, watched: Rules, retraining: RetrainingTurns, rollouts: RolloutTurns
) -> list[tuple[str, Callable[[], object], float]]:
    """Every loop: its name, one turn of it, and the seconds between two."""
    scaling, registry = scaler(house), RegistryTurns(house)
    return [
        ("monitor", lambda: house.monitor.run_once(wall_now()), house.settings.monitoring.every_s),
        ("label sources", lambda: house.label_sources.run_once(wall_now(), machine_now()), SAMPLE_S),
        ("scaling", lambda: scaling.run_once(machine_now(), wall_now()), SAMPLE_S),
        ("retraining", retraining.run_once, SAMPLE_S),
        ("rollouts", rollouts.run_once, ROLLOUTS_S),
        # Two: a source that is slow keeps nobody from being told.
        ("registry", registry.tell_once, SAMPLE_S),
        ("registry sources", registry.follow_once, SAMPLE_S),
        ("watch", watch(house, lookout), SAMPLE_S),
        # Without rules too: it closes what the last one opened.
        ("rules", lambda: watched.run_once(wall_now()), SAMPLE_S),
        ("snoozes", lambda: house.incidents.wake(wall_now()), SAMPLE_S),
        # One each: a receiver that hangs holds up no other.
        *((f"notifier {name}", one.run_once, NOTIFIERS_S) for name, one in deliveries(house).items()),
        # By itself: on a frozen disk the others wait, and this is what must tell.
        ("lookout", lambda: lookout.look(machine_now(), wall_now()), SAMPLE_S),
    ]


def _config(house: House, settling: Settling) -> uvicorn.Config:
    config = uvicorn.Config(
        create_app(msgspec.structs.replace(house.parts, settle=settling.settle)),
        loop="uvloop",
        http="httptools",
        access_log=False,
        server_header=False,
        log_level="warning",
    )
    if read_wanted(house.run_dir / WANTED_FILE).door:
        config.uds = str(house.socket("control"))
    else:
        config.host, config.port = house.settings.door.host, control_port(house)
    return config


def watch(house: House, lookout: Lookout) -> Callable[[], None]:
    """One turn: sample the traffic, keep alerts, tell the supervisor when routes or sizes have changed."""
    traffic = Traffic(house.runtime / "pulses")
    before: set[tuple[str, str]] | None = None

    def step() -> None:
        nonlocal before
        plan = tell(house)
        house.signals.put(traffic.sample(served_replicas(plan), machine_now(), wall_now()))
        newest = lookout.newest
        if newest.at:
            if before is None:  # what an earlier control saw come may have gone while none looked
                before = stood(house.signals.newest("alert"))
            house.signals.put(as_signals(newest, before, wall_now()))
            before = newest.keys

    return step


def _repeat(name: str, step: Callable[[], object], every_s: float, stop: threading.Event) -> None:
    while not stop.wait(every_s):
        try:
            step()
        except Exception:  # the outermost line of a loop: what failed is tried again from what is stored
            LOG.exception("%s: this turn failed and is tried again", name)
