"""One step of a rollout, from the stores to the running house: read the routes, change them, tell.

Commands and control's loop come by here. Which step is right is decided in `rollouts/`, by people or by its loop.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gyroscope.assembly.house import House
from gyroscope.assembly.telling import tell_if_running
from gyroscope.clock import wall_now
from gyroscope.records import Route


class Moved(msgspec.Struct, frozen=True):
    """The routes of a model before and after a step."""

    before: list[Route]
    after: list[Route]
    changed: bool


def move(
    house: House, model: str, step: Callable[[list[Route]], list[Route]], reason: str, *, dry_run: bool = False
) -> Moved:
    """Take one step; the door follows within a tenth of a second where the house runs, with or without control.

    Raises `ModelError` when the step cannot be taken from here, `StoreError` when somebody else came first.
    """
    revision = house.routes.revision(model, "routes")
    before = house.routes.routes(model)
    after = step(before)
    changed = after != before and not dry_run
    if changed:
        house.routes.set_routes(model, after, reason=reason, now=wall_now(), expected=revision)
        tell_if_running(house)
    return Moved(before, after, changed)
