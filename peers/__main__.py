"""`python -m peers NAME...` makes environments ahead of those who ask for them: `make test` does it beside other work.

One that cannot be had is named and left to whoever asks for it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from peers import PLACE, PeerMissingError, python


def main(wanted: list[str], place: Path = PLACE) -> int:
    """Make each; 0 when all are there."""
    lacking = 0
    for name in wanted:
        try:
            python(name, place)
        except PeerMissingError as error:
            lacking += 1
            print(error, file=sys.stderr)
    return min(lacking, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
