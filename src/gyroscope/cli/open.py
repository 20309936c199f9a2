"""`gyro open`: the pages in a browser, signed in by a new single-use link.

Where no browser can be started it prints the link, as `gyro link` does.
"""

from __future__ import annotations

import typer

from gyroscope.cli.options import SettingsOption, settings_path
from gyroscope.cli.output import say


def open_page(settings: SettingsOption = None) -> None:
    """Open the pages in a browser."""
    from gyroscope.assembly import House, new_link

    address = new_link(House(settings_path(settings)))
    if typer.launch(address) != 0:
        say(address)
