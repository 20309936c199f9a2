"""The loop of rollouts: look at each model's challenger, decide, take one step, write it down.

Control runs it several times a second. The routes are its state: killed between any two lines it finds in them where it
was, takes the step again that is not there yet, and there is never more than one champion.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Protocol

import msgspec

from gyroscope.clock import DAY_US, SECOND_NS, SECOND_US, EventTime, MachineTime
from gyroscope.errors import ModelError
from gyroscope.models.challengers import Challenger, Challengers, State
from gyroscope.models.routes import Change, Routes
from gyroscope.records import Decision, NotEnoughData, Route
from gyroscope.rollouts import moves
from gyroscope.rollouts.decide import Arms, Policy, Seen, Stage, decide
from gyroscope.rollouts.losses import Compared
from gyroscope.settings_models import Loops, Switch
from gyroscope.signals.journal import Act, Journal

GOES_BACK = ("roll back", "keep", "retire")
"""The switch `rollback` is about watching a new champion and the way back: to go it, or not to need it any more."""

SAME_NS = SECOND_NS
"""While nothing new was seen, a challenger that waits goes on waiting for this long: a decision may cost 0.1 s."""


class Step(msgspec.Struct, frozen=True):
    """Where a challenger is, from the routes: since when (date), and the versions of both sides."""

    stage: Stage
    champion: str
    challenger: str
    share: float
    since: EventTime


class Senses(Protocol):
    """What the loop knows of the running house; assembly brings it."""

    def health(self, step: Step, model: str) -> tuple[bool, float, int, str]:
        """Whether all replicas of the challenger are ready, for how many seconds they have not been, how many deaths it
        had in this step, and the last one.
        """
        ...

    def counts(self, step: Step, model: str, now: MachineTime, is_ready: bool) -> tuple[Arms, Arms, float | None]:
        """Errors and slow answers side by side, since all replicas of the challenger were first ready in this step, and
        how many times as long as the champion's its model works on a request; None: not known.
        """
        ...

    def losses(self, step: Step, model: str) -> Compared:
        """Labelled losses of both versions beside each other, as of a while ago: it does not wait for the log."""
        ...


Take = Callable[[str, Callable[[list[Route]], list[Route]], str], object]
"""Change the routes of a model by a step, for a reason, and have the door follow."""


class Rollouts:
    """The challengers of one home. `take` carries a step out."""

    def __init__(
        self, routes: Routes, challengers: Challengers, journal: Journal, senses: Senses, take: Take, switches: Loops
    ) -> None:
        self._routes = routes
        self._challengers = challengers
        self._journal = journal
        self._senses = senses
        self._take = take
        self._switches = switches
        self._said: dict[str, tuple[str, str]] = {}
        self._on_way: dict[str, tuple[int, Step]] = {}
        self._settled: dict[str, int] = {}
        self._waits: dict[str, tuple[Seen, Decision, MachineTime]] = {}

    def run_once(self, model: str, policy: Policy, now: EventTime, machine: MachineTime) -> Decision | NotEnoughData:
        """One look at one model, and at most one step."""
        step = self.step(model)
        if isinstance(step, NotEnoughData):
            return step
        seen = self._look(step, model, policy, now, machine)
        decision = self._decided(seen, machine)
        switch = self._switches.rollback if decision.action in GOES_BACK else self._switches.promotion
        act_id = self._write_down(seen, decision, switch, now)
        if switch == "act" and decision.action != "keep waiting":
            self._act(step, model, decision, act_id, now)
        return decision

    def _decided(self, seen: Seen, machine: MachineTime) -> Decision:
        timeless = msgspec.structs.replace(seen, step_s=0.0, age_days=0.0)
        known = self._waits.get(seen.model)
        if known and known[0] == timeless and machine - known[2] < SAME_NS:
            return known[1]
        decision = decide(seen)
        self._waits.pop(seen.model, None)
        if decision.action == "keep waiting":
            self._waits[seen.model] = timeless, decision, machine
        return decision

    def step(self, model: str) -> Step | NotEnoughData:
        """Where the model's challenger is; the one that waits when none is on its way."""
        revision = self._routes.revision(model, "routes")
        known = self._on_way.get(model)
        if known and known[0] == revision:
            return known[1]  # asked ten times a second, it says something new once a step
        routes = self._routes.routes(model)
        champion, standby = moves.holder(routes, "champion"), moves.holder(routes, "standby")
        if not champion:
            return NotEnoughData(f"no version of {model} is served")
        on_way = moves.challenger(routes)
        self._settle(model, routes, revision)
        if on_way or moves.held_back(routes):
            other, version = (champion, on_way) if on_way else (standby, champion)
            share = next(route.share for route in routes if route.version == version)
            stage: Stage = "canary" if moves.holder(routes, "canary") else "shadow" if on_way else "holdback"
            self._on_way[model] = (revision, Step(stage, other, version, share, self._since(model, version)))
            return self._on_way[model][1]
        waiting = self._challengers.open(model)  # also one whose first step was not taken yet
        if waiting and waiting[0].version == champion:
            self._challengers.turn(waiting[0], "promoted", "it became the champion by hand", waiting[0].changed_at)
            return NotEnoughData(f"the challenger of {model} is its champion by now")
        if waiting:
            return Step("waiting", champion, waiting[0].version, 0.0, waiting[0].proposed_at)
        if standby:
            return Step("standing", standby, champion, 0.0, self._since(model, standby))
        return NotEnoughData(f"no challenger of {model}")

    def _settle(self, model: str, routes: Sequence[Route], revision: int) -> None:
        """A challenger that is no longer on its way got its verdict, also where we were killed before we wrote it; one
        that was promoted and taken back after all, another.
        """
        rolling = self._challengers.rolling(model)
        is_open = isinstance(rolling, Challenger) and rolling.version != moves.challenger(routes)
        if not is_open and self._settled.get(model) == revision:
            return
        changes = self._changes(model)
        if isinstance(rolling, Challenger) and is_open and _set_out(rolling, changes):
            state: State = "promoted" if moves.holder(routes, "champion") == rolling.version else "rolled_back"
            self._challengers.turn(rolling, state, changes[-1].reason, changes[-1].at)
        gone: dict[str, Change] = {}
        for before, after in pairwise(changes):
            gone[moves.taken_back(before.routes, after.routes)] = after
            gone.pop(moves.holder(after.routes, "champion"), None)
        for one in self._challengers.every(model):
            if one.state == "promoted" and one.version in gone:
                why = gone[one.version]
                self._challengers.turn(one, "rolled_back", why.reason, why.at)
        self._settled[model] = revision

    def _changes(self, model: str) -> list[Change]:
        """In the order in which they were made, whatever the clock said."""
        changes = (change for change in self._routes.history(model) if change.kind == "routes")
        return sorted(changes, key=lambda change: change.revision)

    def _since(self, model: str, version: str) -> EventTime:
        """When the version got the role and share that it has."""
        since, held = EventTime(0), None
        for change in self._changes(model):
            has = next((route for route in change.routes if route.version == version), None)
            since, held = (change.at, has) if has != held else (since, held)
        return since

    def _look(self, step: Step, model: str, policy: Policy, now: EventTime, machine: MachineTime) -> Seen:
        step_s = max(0, now - step.since) / SECOND_US
        if step.stage == "waiting":
            return Seen(model, step.challenger, step.stage, policy, step_s=step_s)
        compared = self._senses.losses(step, model) if policy.needs != "nothing" else Compared()
        if step.stage == "standing":
            return Seen(model, step.challenger, step.stage, policy, step_s=step_s, windows=compared.whole)
        is_ready, starts_s, deaths, last = self._senses.health(step, model)
        errors, slow, work = self._senses.counts(step, model, machine, is_ready)
        return Seen(
            model=model,
            version=step.challenger,
            stage=step.stage,
            policy=policy,
            share=step.share,
            step_s=step_s,
            age_days=self._age_days(model, step, now),
            is_ready=is_ready,
            starts_s=starts_s,
            deaths=deaths,
            last_death=last,
            errors=errors,
            slow=slow,
            work=work,
            windows=compared.whole,
            segments=compared.segments,
        )

    def _age_days(self, model: str, step: Step, now: EventTime) -> float:
        rolling = self._challengers.rolling(model)
        since = step.since if isinstance(rolling, NotEnoughData) else rolling.changed_at  # it may have waited long
        return max(0, now - since) / DAY_US

    def _write_down(self, seen: Seen, decision: Decision, switch: Switch, now: EventTime) -> str:
        """Once for as long as a decision and its reason stay the same; a step that is taken, each time."""
        key = f"{seen.model} {seen.version} {seen.stage} {seen.share}"
        word = (decision.action, decision.reason)
        if switch == "off" or self._said.get(seen.model) == (key, str(word)):
            return ""
        self._said[seen.model] = (key, str(word))
        inputs = msgspec.json.encode(seen).decode()
        return self._journal.append(
            Act("rollouts", seen.model, decision.action, str(decision.reason), switch, inputs, now)
        )

    def _act(self, step: Step, model: str, decision: Decision, act_id: str, now: EventTime) -> None:
        reason = f"{act_id or 'rollouts'}: {decision.action}, {decision.reason}"
        if step.stage == "waiting":
            waiting = self._challengers.open(model)[0]
            self._challengers.turn(waiting, "rolling", reason, now)
        with suppress(ModelError):  # somebody changed the routes in between: the next look sees what there is now
            self._take(model, _change(step, decision), reason)


def _set_out(rolling: Challenger, changes: Sequence[Change]) -> bool:
    """Whether its first step was taken: a change of an earlier try, or of another version, is none."""
    return any(moves.challenger(one.routes) == rolling.version and one.at >= rolling.changed_at for one in changes)


def _change(step: Step, decision: Decision) -> Callable[[list[Route]], list[Route]]:
    share, holdback = (float(decision.evidence.get(name, 0.0)) for name in ("share", "holdback"))
    changes: dict[str, Callable[[list[Route]], list[Route]]] = {
        "shadow": lambda routes: moves.to_shadow(routes, step.challenger),
        "canary": lambda routes: moves.to_canary(routes, step.challenger, share),
        "promote": lambda routes: moves.to_champion(routes, holdback),
        "keep": moves.to_whole,
        "roll back": moves.back,
        "retire": moves.without_standby,
    }
    return changes[decision.action]
