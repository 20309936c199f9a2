"""`gyro link`: a new single-use link to the pages. `gyro open` opens it.

A link is a key: it goes to stdout only when asked for, and works once.
"""

from __future__ import annotations

from gyroscope.cli.options import JsonOption, SettingsOption, settings_path
from gyroscope.cli.output import print_json, say


def link(settings: SettingsOption = None, as_json: JsonOption = False) -> None:
    """Print a new link to the pages; it works once, within 15 minutes."""
    from gyroscope.assembly import House, new_link

    address = new_link(House(settings_path(settings)))
    if as_json:
        print_json({"link": address})
    else:
        say(address)
