"""Start, stop and look at the processes of one home.

The command line and the demo call these. The work of keeping processes alive is the supervisor's.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from gyroscope.assembly.house import House
from gyroscope.assembly.plan import check_room, control_port, haproxy
from gyroscope.assembly.telling import tell
from gyroscope.supervisor import client
from gyroscope.web.overview import Overview, overview


class UpReport(msgspec.Struct, frozen=True):
    """What a person needs after `gyro up`; `link` opens the pages once."""

    address: str
    link: str
    api_key_path: str
    models: tuple[str, ...]


def up(settings_path: Path) -> UpReport:
    """Start everything and wait until it is ready.

    Raises `ProcessError` when a port is taken or a process does not come up (with the end of its log).
    """
    house = House(settings_path)
    house.make_folders()
    check_room(house)
    code = house.keys.create_first().login_code
    tell(house)
    client.start(house.run_dir)
    return UpReport(
        address=address(house),
        link=_link(house, code),
        api_key_path=str(house.keys.api_key_path),
        models=tuple(house.models.models()),
    )


def down(settings_path: Path) -> list[str]:
    """Stop everything; returns the names of what was stopped. The last records are drained into the tables first."""
    house = House(settings_path)
    if not house.run_dir.is_dir():
        return []
    stopped = [one["name"] for one in client.status(house.run_dir)["processes"] if one["state"] != "gone"]
    client.stop(house.run_dir)
    for name in ("sockets", "pulses"):
        shutil.rmtree(house.runtime / name, ignore_errors=True)
    if not any(path.is_file() for path in house.segments.rglob("*")):
        # Segments that could not be drained stay: they are all there is of those predictions.
        shutil.rmtree(house.runtime, ignore_errors=True)
    return stopped


def status(settings_path: Path) -> Overview:
    """What runs and what is wanted, without asking any process but the supervisor's state file."""
    return overview(House(settings_path).parts)


def new_link(house: House) -> str:
    """A fresh single-use link to the pages."""
    return _link(house, house.keys.new_login_code())


def address(house: House) -> str:
    """Where predictions are asked for."""
    return f"http://{_host(house)}:{house.settings.door.port}"


def _link(house: House, code: str) -> str:
    port = house.settings.door.port if haproxy() else control_port(house)
    return f"http://{_host(house)}:{port}/login?code={code}"


def _host(house: House) -> str:
    host = house.settings.door.host
    return f"[{host}]" if ":" in host else host
