"""What the loop of rollouts knows of the running house: replicas, counters of pulses and door, labelled losses.

Control builds the loop here. It reads files and asks the door; it decides nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

import msgspec

from gyroscope.assembly.house import House
from gyroscope.assembly.loss_days import LossDays
from gyroscope.assembly.plan import SHADOW, replica_name
from gyroscope.assembly.rolling import move, policy_of
from gyroscope.assembly.turns import each
from gyroscope.clock import SECOND_NS, MachineTime, machine_now, wall_now
from gyroscope.errors import ProcessError
from gyroscope.rollouts.counts import SideBySide, repeated_by_door
from gyroscope.rollouts.decide import Arms
from gyroscope.rollouts.loop import Rollouts, Step
from gyroscope.rollouts.losses import Compared
from gyroscope.rollouts.moves import challenger, held_back
from gyroscope.supervisor import client
from gyroscope.supervisor.door import DoorLink

LABELS_EVERY_NS, COSTS = 2 * SECOND_NS, 10
"""Labels say something new once a window; to read a long log takes a tenth of the time at most."""


class _Reading(msgspec.Struct):
    step: Step
    newest: Compared = Compared()
    running: Future[Compared] | None = None
    began_ns: int = 0
    due_ns: int = 0


class HouseSenses:
    """The senses of the loop in one house."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._door = DoorLink(str(house.socket("admin")))
        self._sides: dict[str, tuple[Step, SideBySide]] = {}
        self._deaths: dict[str, tuple[Step, int]] = {}
        self._whole: dict[str, tuple[Step, int, MachineTime]] = {}
        self._compared: dict[str, _Reading] = {}
        self._losses: dict[str, LossDays] = {}
        self._reader = ThreadPoolExecutor(1, "labelled losses")
        self._waits = False

    def health(self, step: Step, model: str) -> tuple[bool, float, int, str]:
        """From the supervisor's state; deaths and time without all replicas count from the first look at this step."""
        names = self._challengers(step, model)
        rows = {row["name"]: row for row in client.status(self._house.run_dir)["processes"]}
        mine = [rows[name] for name in names if name in rows]
        died = sum(row["restarts"] + (row["state"] == "waiting" and bool(row["reason"])) for row in mine)
        known = self._deaths.get(model)
        if known is None or known[0] != step:
            known = self._deaths[model] = (step, died if len(mine) == len(names) else 0)
        is_ready, now = len(mine) == len(names) and all(row["state"] == "ready" for row in mine), machine_now()
        whole = self._whole.get(model)
        if is_ready or whole is None or whole[:2] != (step, died):
            whole = self._whole[model] = (step, died, now)
        said = next((row["reason"] for row in mine if row["reason"]), "")
        return is_ready, (now - whole[2]) / SECOND_NS, max(0, died - known[1]), said

    def counts(self, step: Step, model: str, now: MachineTime, is_ready: bool) -> tuple[Arms, Arms, float | None]:
        """From the pulses and the door. While some replicas start the others get less than the share."""
        known = self._sides.get(model)
        if known is None or known[0] != step:
            if not is_ready:
                return Arms(), Arms(), None
            known = self._sides[model] = (step, SideBySide(self._house.runtime / "pulses", now))
        champions = [replica_name(model, step.champion, slot) for slot in range(self._replicas(model))]
        return known[1].look(champions, self._challengers(step, model), self._repeated(), now)

    def losses(self, step: Step, model: str) -> Compared:
        """From the log and its labels, read beside the loop: a long log must not keep it from seeing harm."""
        known = self._compared.get(model)
        if known is None or known.step != step:
            known = self._compared[model] = _Reading(step)
        now = machine_now()
        if self._waits:  # one that runs began before
            known.running, known.began_ns = self._reader.submit(self._read_losses, step, model), now
            wait([known.running])
            now = machine_now()
        if known.running is not None and known.running.done():
            done, known.running = known.running, None  # also one that failed: it is read again
            known.due_ns = now + max(LABELS_EVERY_NS, COSTS * (now - known.began_ns))
            known.newest = done.result()
        if known.running is None and now >= known.due_ns:
            known.running, known.began_ns = self._reader.submit(self._read_losses, step, model), now
        return known.newest

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Within it losses are those of this moment, and are waited for."""
        self._waits = True
        try:
            yield
        finally:
            self._waits = False

    def _read_losses(self, step: Step, model: str) -> Compared:
        known = self._losses.get(model)
        if known is None or known.step != step:
            known = self._losses[model] = LossDays(self._house, step, model)
        return known.compared()

    def _repeated(self) -> dict[str, int]:
        try:
            return repeated_by_door(self._door.command("show stat -1 4 -1"))
        except ProcessError:
            return {}  # a door that restarts: what it repeats meanwhile is in the pulses' own 5xx, or lost

    def _challengers(self, step: Step, model: str) -> list[str]:
        slots = [SHADOW] if step.stage == "shadow" else range(self._replicas(model))
        return [replica_name(model, step.challenger, slot) for slot in slots]

    def _replicas(self, model: str) -> int:
        return self._house.routes.replicas(model, self._house.settings)


class RolloutTurns:
    """The loop over every model of a house, as control's thread calls it."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._senses = HouseSenses(house)
        self._alone = threading.Lock()
        self._loop = Rollouts(
            house.routes,
            house.challengers,
            house.journal,
            self._senses,
            lambda model, step, reason: move(house, model, step, reason),
            house.settings.loops,
        )
        self._policy = policy_of(house)
        self._looked_ns = 0

    def run_once(self) -> None:
        """One look at each model with a challenger on its way or a new champion; once a second at the others too."""
        with self._alone:
            is_due = machine_now() - self._looked_ns >= SECOND_NS
            self._looked_ns = machine_now() if is_due else self._looked_ns
            self._look_at_each(is_due=is_due)

    def catch_up(self) -> None:
        """One look at each model at the labels of this moment."""
        with self._alone, self._senses.waiting():
            self._look_at_each(is_due=True)

    def _look_at_each(self, *, is_due: bool) -> None:
        each("rollouts", self._house.models.models(), lambda model: self._look(model, is_due=is_due))

    def _look(self, model: str, *, is_due: bool) -> None:
        routes = self._house.routes.routes(model)
        if is_due or challenger(routes) or held_back(routes):
            self._loop.run_once(model, self._policy, wall_now(), machine_now())
