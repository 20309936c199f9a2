"""One step of a rollout, from the stores to the running house: read the routes, change them, tell.

Commands and control's loop come by here. Which step is right is decided in `rollouts/`, by people or by its loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from gyroscope.assembly.house import House
from gyroscope.assembly.telling import tell_if_running
from gyroscope.clock import wall_now
from gyroscope.records import Route
from gyroscope.rollouts.decide import Policy, Reason, Seen, Stage
from gyroscope.rollouts.moves import challenger, held_back, holder, taken_back
from gyroscope.signals.journal import Act


class Asked(msgspec.Struct, frozen=True):
    """A step that a person takes, with the reason that they give."""

    step: Callable[[list[Route]], list[Route]]
    action: Literal["canary", "promote", "roll back", "serve"]
    because: str


class Moved(msgspec.Struct, frozen=True):
    """The routes of a model before and after a step."""

    before: list[Route]
    after: list[Route]
    changed: bool


def by_hand(house: House, model: str, asked: Asked, *, dry_run: bool = False) -> Moved:
    """Take a step that somebody asked for, and write it into the journal. Raises as `move`."""
    moved = move(house, model, asked.step, f"{asked.action} by hand: {asked.because}", dry_run=dry_run)
    if moved.changed:
        version, stage, share = _place(moved)
        seen = Seen(model, version, stage, policy_of(house), share, asked=asked.action, because=asked.because)
        inputs = msgspec.json.encode(seen).decode()
        house.journal.append(Act("rollouts", model, asked.action, Reason.ASKED, "act", inputs, wall_now()))
    return moved


def _place(moved: Moved) -> tuple[str, Stage, float]:
    """Whose step it was: the version that goes or has gone, the stage where it was, and its share now."""
    before, after = moved.before, moved.after
    version = challenger(after) or challenger(before) or taken_back(before, after) or holder(after, "champion")
    was = next((route for route in before if route.version == version), None)
    share = next((route.share for route in after if route.version == version), 0.0)
    if was is None or was.role == "standby":
        return version, "waiting", share
    if was.role == "champion":
        return version, "holdback" if held_back(before) else "standing", share
    return version, was.role, share


def policy_of(house: House) -> Policy:
    """What a rollout asks for, from the settings. Where nobody would go back there is no holdback either."""
    asked = msgspec.structs.asdict(house.settings.rollouts)
    asked.pop("copies")
    if house.settings.loops.rollback != "act" or not asked["holdback_s"]:
        asked["holdback"] = 0.0
    return Policy(**asked)


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
