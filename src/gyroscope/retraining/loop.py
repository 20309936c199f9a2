"""The loop of retraining: look at each model, decide, start one trainer at a time, make a challenger of its result.

Control runs it once a second. What it writes down before it acts lets it go on wherever it was killed: a training that
is written down and was not started is started, a result that is there and not registered is registered, once.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from gyroscope.clock import EventTime
from gyroscope.errors import GyroscopeError
from gyroscope.models.challengers import Challenger, Challengers
from gyroscope.records import Decision
from gyroscope.retraining.decide import Seen, decide
from gyroscope.retraining.trainer import PID, Limits, Result, look, start
from gyroscope.retraining.trainings import State, Training, Trainings
from gyroscope.settings_models import Switch
from gyroscope.signals.journal import Act, Journal

KEPT = 20
"""Folders of trainings, of each model: as long as anybody asks why the last ones failed. Versions lie elsewhere."""


class Senses(Protocol):
    """What the loop knows of the house; assembly brings it."""

    def seen(self, model: str, trainings: Sequence[Training], tries: Sequence[Challenger]) -> Seen:
        """The labelled rows, incidents and policy of a model, with what became of earlier trainings."""
        ...

    def argv(self, model: str, folder: Path) -> list[str]:
        """The command of a trainer that works in a folder."""
        ...

    def register(self, training: Training, result: Result, folder: Path) -> str:
        """Make a version of a result, with its lineage; its name. The same result again gives the same version."""
        ...


class Retraining:
    """The trainings of one home; each has a folder below `place`."""

    def __init__(
        self, trainings: Trainings, challengers: Challengers, journal: Journal, senses: Senses, place: Path
    ) -> None:
        self._trainings = trainings
        self._challengers = challengers
        self._journal = journal
        self._senses = senses
        self._place = place
        self._said: dict[str, tuple[str, str]] = {}

    def run_once(self, model: str, limits: Limits, switch: Switch, now: EventTime) -> Decision | None:
        """One look at one model; None while its trainer works. `now` is the date."""
        running = [one for one in self._trainings.every(model) if one.state == "running"]
        if running:
            self._tend(running[0], limits, now)
            return None
        if switch == "off":
            return None
        seen = self._senses.seen(model, self._trainings.every(model), self._challengers.every(model))
        decision = decide(seen)
        act_id = self._write_down(seen, decision, switch, now)
        if decision.action == "train" and switch == "act":
            because = f"{act_id}: {decision.reason}"
            training = self._trainings.begin(model, because, seen.now, seen.data, seen.rows)
            self._tend(training, limits, now)
        return decision

    def folder(self, training: Training) -> Path:
        """Where a training works."""
        return self._place / f"{training.model}-{training.number}"

    def _tend(self, training: Training, limits: Limits, now: EventTime) -> None:
        folder = self.folder(training)
        if not (folder / PID).is_file():
            start(self._senses.argv(training.model, folder), folder, now)
            return
        found = look(folder, limits, now)
        if isinstance(found, str):
            self._end(training, "failed", found)
        elif found is not None:
            self._register(training, found, now)

    def _register(self, training: Training, result: Result, now: EventTime) -> None:
        origin = f"training-{training.number}"
        try:
            version = self._senses.register(training, result, self.folder(training))
        except GyroscopeError as error:
            self._end(training, "failed", str(error))
            return
        if all(one.origin != origin for one in self._challengers.every(training.model)):
            self._challengers.propose(training.model, version, origin, now)
        self._end(training, "done", "", version)

    def _end(self, training: Training, state: State, said: str, version: str = "") -> None:
        """Write down how it ended; folders of long ago go, where nobody looks into their logs any more."""
        self._trainings.end(training, state, said, version)
        for old in self._trainings.every(training.model)[:-KEPT]:
            shutil.rmtree(self.folder(old), ignore_errors=True)

    def _write_down(self, seen: Seen, decision: Decision, switch: Switch, now: EventTime) -> str:
        """Once for as long as a decision and its reason stay the same; a training that begins, each time."""
        word = (decision.action, str(decision.reason))
        is_begun = decision.action == "train" and switch == "act"
        if self._said.get(seen.model) == word and not is_begun:
            return ""
        self._said[seen.model] = word
        inputs = msgspec.json.encode(seen).decode()
        return self._journal.append(Act("retraining", seen.model, *word, switch, inputs, now))
