"""`gyro down`: stop everything in order, the recorder last, so that nothing written is left behind.

Fine when nothing runs.
"""

from __future__ import annotations

from gyroscope.cli.options import JsonOption, SettingsOption, settings_path
from gyroscope.cli.output import print_json, say


def down(settings: SettingsOption = None, as_json: JsonOption = False) -> None:
    """Stop everything that 'gyro up' started."""
    from gyroscope import assembly

    stopped = assembly.down(settings_path(settings))
    if as_json:
        print_json({"stopped": stopped})
    else:
        say(f"stopped {', '.join(stopped)}" if stopped else "nothing was running")
