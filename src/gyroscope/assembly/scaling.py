"""The loop that scales, made from the stores of a home.

Control and `gyro scale once` call this. It looks at nothing by itself.
"""

from __future__ import annotations

from gyroscope.assembly.house import House
from gyroscope.assembly.plan import answering
from gyroscope.scaling.loop import Scaler, Stores
from gyroscope.scaling.observe import Observer
from gyroscope.scaling.targets.local import Local
from gyroscope.supervisor.wanted import WANTED_FILE, read_wanted


def scaler(house: House) -> Scaler:
    """The loop of this home; each call makes one that has seen nothing yet."""
    return Scaler(
        house.settings,
        Observer(house.runtime / "pulses", house.socket("admin")),
        Local(house.routes, house.settings),
        Stores(house.signals, house.journal),
        lambda: answering(read_wanted(house.run_dir / WANTED_FILE)),
    )
