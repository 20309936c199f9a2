"""Runs the cases of a foreign client in that client's own environment and says how each went.

`python -m peers.<peer>.<client> PORT KEY GRPC_PORT`: every function `case_*` of the file gets a `Target` and raises
when the client or its answer is not as it should be. `tests/peers/` starts it and reads one line of JSON.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

NUMBERS = tuple(f"x{at:02d}" for at in range(18))
MODEL = "probe"
"""The model that is asked: `number` (twice it is the answer), `kind` (one of a, b, c), and 18 more numbers."""


class Target(NamedTuple):
    """Where our server is, and the key."""

    port: int
    key: str
    grpc_port: int

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


def run(module: Mapping[str, Any]) -> None:
    """Run every case of a module; the last line written is the list of (case, what went wrong or "")."""
    target = Target(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
    cases = {name: case for name, case in module.items() if name.startswith("case_")}
    print("\n" + json.dumps([(name, _said(case, target)) for name, case in cases.items()]))


def refused(act: Callable[[], object], kind: type[Exception], *words: str) -> None:
    """What was done must raise, in the client's own words for it."""
    try:
        act()
    except kind as error:
        missing = [word for word in words if word not in str(error)]
        assert not missing, f"{missing} not in {error}"
    else:
        raise AssertionError(f"no {kind.__name__} was raised")


def _said(case: Callable[[Target], None], target: Target) -> str:
    try:
        case(target)
    except Exception:  # noqa: BLE001 - whatever goes wrong is what the case found
        return traceback.format_exc(limit=-3)
    return ""
