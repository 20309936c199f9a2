"""The command `gyro`: nouns and verbs, one file each. Shells only: they translate, the rooms below do the work.

Exit codes: 0 fine, 1 found something, 2 failed. What a user can mend is told on stderr in words, never as a traceback.
"""

from __future__ import annotations

import sys

from gyroscope.cli import output
from gyroscope.cli.commands import gyro
from gyroscope.errors import GyroscopeError

__all__ = ["main"]


def main() -> None:
    """Run the command line and end the process with its exit code."""
    try:
        gyro(sys.argv[1:])(prog_name="gyro")
    except GyroscopeError as error:
        output.explain(error, as_json="--json" in sys.argv)
    except OSError as error:
        # A full disk or a forbidden folder met on the way: the machine's fault, so the user can mend it.
        place = str(error.filename or "")
        output.explain(GyroscopeError(error.strerror or str(error), where=place), as_json="--json" in sys.argv)
    sys.exit(2)
