"""Once a second in control: look at every model whose size is a choice, decide, write down why, act.

`run_once` is the whole loop. What it decided last is in the signals and the journal; if control dies, every model keeps
its size. It starts no process.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from gyroscope.clock import SECOND_NS, EventTime, MachineTime
from gyroscope.records import Decision, NotEnoughData, Signal
from gyroscope.scaling.capacity import Capacity
from gyroscope.scaling.horizontal import Inputs, Memory, Policy, Reason, Sizing, decide
from gyroscope.scaling.observe import Observed, Observer
from gyroscope.scaling.targets import Target
from gyroscope.settings import Settings
from gyroscope.settings_models import ModelPolicy
from gyroscope.signals.journal import Act, Journal
from gyroscope.signals.store import Signals
from gyroscope.stats.queueing import Promise

DESIRED = "desired_replicas"
"""The signal that tells what was decided, in every mode."""


class Considered(NamedTuple):
    """A decision and what it was made from."""

    inputs: Inputs
    sizing: Sizing


class Kept(msgspec.Struct):
    """Of one model, between two looks."""

    memory: Memory
    start_s: float = 1.0
    grew_at_s: float | None = None
    told: tuple[str, Reason] | None = None


class Stores(msgspec.Struct, frozen=True):
    """Where decisions are told."""

    signals: Signals
    journal: Journal


class Scaler:
    """One for a home. `replicas` says which replicas are wanted now: name -> model."""

    def __init__(
        self,
        settings: Settings,
        observer: Observer,
        target: Target,
        stores: Stores,
        replicas: Callable[[], Mapping[str, str]],
    ) -> None:
        self._settings, self._observer, self._target, self._stores = settings, observer, target, stores
        self._replicas = replicas
        self._kept: dict[str, Kept] = {}

    def run_once(self, now: MachineTime, wall: EventTime) -> dict[str, Considered]:
        """One look at all models, and what follows from it."""
        if self._settings.loops.scaling == "off":
            return {}
        considered = self.consider(now)
        self.carry_out(considered, wall)
        return considered

    def consider(self, now: MachineTime) -> dict[str, Considered]:
        """One look and a decision for each model whose size is a choice; changes nothing outside."""
        considered = {}
        for model, observed in self._observer.look(dict(self._replicas()), now).items():
            bounds = self._settings.models.get(model, ModelPolicy()).bounds
            if bounds.min == bounds.max and not self._was_a_choice(model):
                continue
            inputs = self._inputs(model, observed, now / SECOND_NS)
            considered[model] = Considered(inputs, decide(inputs))
            self._kept[model].memory = considered[model].sizing.memory
        return considered

    def carry_out(self, considered: Mapping[str, Considered], wall: EventTime) -> None:
        """Write decisions down and, where the switch says so, want the new sizes."""
        for model, (inputs, sizing) in considered.items():
            reason = self._tell(model, inputs, sizing, wall)
            if self._settings.loops.scaling == "act" and sizing.replicas != inputs.size:
                self._target.resize(model, sizing.replicas, reason, wall)
        desired = {model: float(one.sizing.replicas) for model, one in considered.items()}
        if desired:
            signals = [Signal(DESIRED, wall, replicas, (("model", model),)) for model, replicas in desired.items()]
            self._stores.signals.put(signals)

    def _was_a_choice(self, model: str) -> bool:
        """Whether a size that is a plain number now was last decided here; asked once after control has started."""
        if model in self._kept:
            return False
        self._kept[model] = Kept(Memory(0.0))
        acts = self._stores.journal.newest("scaling", model, 1)
        return bool(acts) and acts[0].reason != Reason.FIXED

    def _inputs(self, model: str, observed: Observed, now_s: float) -> Inputs:
        kept = self._kept.setdefault(model, Kept(Memory(now_s)))
        size = self._target.size(model)
        if kept.grew_at_s is not None and observed.ready >= size:
            kept.start_s, kept.grew_at_s = now_s - kept.grew_at_s, None
        policy = policy_of(self._settings, model, kept.start_s)
        return Inputs(now_s, size, observed.ready, policy, observed.load, observed.capacity, kept.memory)

    def _tell(self, model: str, inputs: Inputs, sizing: Sizing, wall: EventTime) -> str:
        """Journal what is new; the reason for whoever keeps the size."""
        kept, decision = self._kept[model], as_decision(inputs, sizing)
        if sizing.replicas > inputs.size:
            kept.grew_at_s = inputs.now_s
        # Whether a smaller size would do at this moment goes to and fro; the journal would be full of it.
        told = decision.action, Reason.STEADY if sizing.reason is Reason.STABILISING else sizing.reason
        if kept.told == told:
            return sizing.reason.value
        act = Act(
            loop="scaling",
            subject=model,
            action=decision.action,
            reason=decision.reason,
            mode=self._settings.loops.scaling,
            inputs=msgspec.json.encode(inputs).decode(),
            at=wall,
        )
        kept.told = told
        return f"{sizing.reason.value} ({self._stores.journal.append(act)})"


def policy_of(settings: Settings, model: str, start_s: float = 1.0) -> Policy:
    """What the settings ask for, as the decision takes it."""
    policy, serving = settings.models.get(model, ModelPolicy()), settings.serving
    return Policy(
        least=policy.bounds.min,
        most=policy.bounds.max,
        promise=Promise(
            within_s=policy.slo.p99_ms / 1_000 or serving.deadline_s,
            patience_s=serving.deadline_s,
            lost=1 - policy.slo.availability / 100,
        ),
        most_batch=policy.batch_calls or serving.batch_calls,
        threads=policy.threads,
        cores=os.cpu_count() or 0,
        start_s=start_s,
        down_after_s=policy.shrink_after_s,
    )


def newest_inputs(journal: Journal, model: str) -> Inputs | NotEnoughData:
    """What the newest decision that knew the capacity of a model was made from."""
    for act in journal.newest("scaling", model):
        inputs = msgspec.json.decode(act.inputs, type=Inputs)
        if isinstance(inputs.capacity, Capacity):
            return inputs
    return NotEnoughData(f"nothing is known yet of what a replica of {model} carries")


def recompute(inputs: str) -> Decision:
    """The decision made again from what was journaled with it; `gyro explain` compares the two."""
    decoded = msgspec.json.decode(inputs, type=Inputs)
    return as_decision(decoded, decide(decoded))


def as_decision(inputs: Inputs, sizing: Sizing) -> Decision:
    """A sizing in words and figures for people and for the journal."""
    grows = sizing.replicas != inputs.size
    evidence: dict[str, float | str] = {"replicas": sizing.replicas}
    if sizing.reason not in (Reason.METRICS_MISSING, Reason.CAPACITY_UNKNOWN, Reason.FIXED):
        evidence |= {
            "needed": sizing.needed,
            "enough": sizing.enough,
            "requests_per_s": round(sizing.per_s, 3),
            "request_ms": round(sizing.request_s * 1_000, 3),
            "promised_ms": round(inputs.policy.promise.within_s * 1_000, 3),
        }
    for unknown in (inputs.load, inputs.capacity):
        if isinstance(unknown, NotEnoughData):
            evidence["unknown"] = unknown.reason
    return Decision(f"{inputs.size} -> {sizing.replicas}" if grows else f"{sizing.replicas}", sizing.reason, evidence)
