"""The entry of our own processes: `python -m gyroscope.assembly control|recorder|replica|warm|train <settings> ...`.

Only the supervisor calls this. Each branch imports what its process needs and no more.
"""

from __future__ import annotations

import sys
from pathlib import Path

from gyroscope.errors import GyroscopeError


def main(argv: list[str]) -> int:
    """Run one process until it is told to stop; returns its exit code."""
    name, settings_path, *rest = argv
    try:
        if name == "control":
            from gyroscope.assembly.control import run_control

            run_control(Path(settings_path))
        elif name == "recorder":
            from gyroscope.assembly.recording import run_recorder

            run_recorder(Path(settings_path))
        elif name == "train":
            from gyroscope.assembly.training import run_training

            run_training(Path(settings_path), rest[0], Path(rest[1]))
        elif name == "warm":
            from gyroscope.assembly.warm import told_to_be

            orders = told_to_be(Path(settings_path))
            return main(orders) if orders else 0
        else:
            from gyroscope.assembly.replica import run_replica

            model, version, slot = rest
            run_replica(Path(settings_path), model, version, slot)
    except GyroscopeError as error:
        print(error, file=sys.stderr, flush=True)  # noqa: T201 - the process's log is its stderr
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
