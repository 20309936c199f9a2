"""What the loop of retraining knows of the house: labelled rows, incidents, earlier tries; how a result is registered.

Control builds the loop here, `gyro retrain` asks once. It reads stores and registers versions; it decides nothing.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec

from gyroscope.alerts import Incident
from gyroscope.assembly.house import House
from gyroscope.assembly.labelled import Data, LabelledDays
from gyroscope.assembly.training import candidate_of
from gyroscope.assembly.turns import each
from gyroscope.clock import SECOND_NS, EventTime, machine_now, wall_now
from gyroscope.errors import ModelError
from gyroscope.models.challengers import Challenger
from gyroscope.models.lineage import Lineage
from gyroscope.records import NotEnoughData
from gyroscope.retraining.decide import Broken, Policy, Seen
from gyroscope.retraining.loop import Retraining
from gyroscope.retraining.trainer import Limits, Result
from gyroscope.retraining.trainings import Training
from gyroscope.rollouts.decide import Reason
from gyroscope.settings_models import ModelPolicy

LEAST_NS = 2 * SECOND_NS
COSTS = 20
"""To describe a long log the first time takes seconds: not more often than so many times what it took."""

GOT_WORSE = ("performance", "estimate", "relation")
ORIGIN = "training-"


class HouseSenses:
    """The senses of the loop in one house."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._data: dict[str, tuple[Data, int]] = {}
        self._days: dict[str, LabelledDays] = {}

    def seen(self, model: str, trainings: Sequence[Training], tries: Sequence[Challenger]) -> Seen:
        """All that a decision about a model is made of."""
        done = [one for one in trainings if one.state != "running"]
        standing = [one for one in self._house.incidents.all(model) if one.is_standing]
        worse = _worse(standing, done)
        data = self.data(model)
        if any(one.opened > data.newest for one in worse):  # read before: its training would count as older than they
            self._data.pop(model, None)
            data = self.data(model)
        broken = [one for one in standing if one.kind == "quality" and one.ended is None]
        return Seen(
            model=model,
            now=data.newest,
            policy=policy_of(self._house, model),
            rows=data.rows,
            first=data.first,
            last=data.last,
            data=data.digest,
            before=done[-1].data if done else "",
            rows_before=done[-1].rows if done else 0,
            started=tuple(one.started_at for one in done),
            is_running=len(done) != len(trainings),
            has_challenger=any(one.state in ("waiting", "rolling") for one in tries),
            taken_back=_taken_back(tries),
            incidents=tuple(one.why for one in worse),
            broken=tuple(Broken(one.subjects, one.since) for one in broken),
        )

    def data(self, model: str) -> Data:
        """The labelled rows, as of a little while ago."""
        now = machine_now()
        known = self._data.get(model)
        if known is None or now >= known[1]:
            data = self._described(model) if policy_of(self._house, model).is_set_up else Data()
            known = self._data[model] = data, machine_now() + max(LEAST_NS, COSTS * (machine_now() - now))
        return known[0]

    def _described(self, model: str) -> Data:
        if model not in self._days:
            self._days[model] = LabelledDays(self._house, model)
        return self._days[model].data()

    def forget(self, model: str) -> None:
        """Have the data looked at anew with the next look, where it may be asked for."""
        policy = policy_of(self._house, model)
        standing = [one for one in self._house.incidents.all(model) if one.is_standing]
        if policy.every_days or policy.new_labels or _worse(standing, self._house.trainings.every(model)):
            self._data.pop(model, None)

    def argv(self, model: str, folder: Path) -> list[str]:
        """The command of a trainer."""
        settings = str(self._house.settings_path)
        return [sys.executable, "-m", "gyroscope.assembly", "train", settings, model, str(folder)]

    def register(self, training: Training, result: Result, folder: Path) -> str:
        """The version that the trainer has added, with its lineage. It is not loaded here."""
        house, model = self._house, training.model
        champion = house.routes.champion(model)
        parent = "" if isinstance(champion, NotEnoughData) else champion.version
        candidate = candidate_of(house, model, folder, result.artifact, result.runner, result.entry)
        version = house.models.add(candidate, wall_now())
        if version.version == parent:
            raise ModelError("the training made the champion itself", where=str(folder), fix="train on newer data")
        lineage = Lineage(
            parent=parent,
            training=f"{ORIGIN}{training.number}",
            because=training.because,
            data=result.data,
            rows=result.rows,
            first=result.first,
            last=result.last,
            code=result.code,
            parameters=result.parameters,
        )
        house.models.put_lineage(version, lineage)
        return version.version


class RetrainingTurns:
    """The loop over every model of a house that has a training function, as control's thread calls it."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._senses = HouseSenses(house)
        self._loop = _loop_of(house, self._senses)
        self._alone = threading.Lock()

    def run_once(self) -> None:
        """One look at each."""
        with self._alone:
            each("retraining", self._house.models.models(), self._look)

    def catch_up(self) -> None:
        """The same at all that is in the log by now, however lately it was read."""
        with self._alone:
            each("retraining", self._house.models.models(), self._senses.forget)
        self.run_once()

    def _look(self, model: str) -> None:
        policy = self._house.settings.models.get(model, ModelPolicy()).retrain
        if policy.train:
            limits = Limits(policy.timeout_s, policy.memory_gib)
            self._loop.run_once(model, limits, self._house.settings.loops.retraining, wall_now())


def retraining_of(house: House) -> Retraining:
    """The loop of a house."""
    return _loop_of(house, HouseSenses(house))


def policy_of(house: House, model: str) -> Policy:
    """When a model is trained, from the settings."""
    asked = house.settings.models.get(model, ModelPolicy()).retrain
    names = {field.name for field in msgspec.structs.fields(Policy)} - {"is_set_up"}
    return Policy(is_set_up=bool(asked.train), **{name: getattr(asked, name) for name in names})


def _loop_of(house: House, senses: HouseSenses) -> Retraining:
    return Retraining(house.trainings, house.challengers, house.journal, senses, house.home / "trainings")


def _worse(standing: Sequence[Incident], trainings: Sequence[Training]) -> list[Incident]:
    """Those that are newer than the last training."""
    return [one for one in standing if one.opened > _last(trainings) and _got_worse(one)]


def _got_worse(incident: Incident) -> bool:
    """By itself or by what it explains: that broken data made it worse is for the veto to say."""
    return incident.kind in GOT_WORSE or any(child.kind in GOT_WORSE for child in incident.children)


def _taken_back(tries: Sequence[Challenger]) -> int:
    """How many trained challengers were taken back, the newest first, until one was not. One whose time was over was
    not told from the champion: that speaks neither for the next one nor against it.
    """
    trained = [one for one in tries if one.origin.startswith(ORIGIN) and not one.reason.endswith(Reason.TOO_LONG)]
    closed = [one for one in trained if one.state in ("promoted", "rolled_back")]
    count = 0
    for one in reversed(closed):
        if one.state != "rolled_back":
            break
        count += 1
    return count


def _last(trainings: Sequence[Training]) -> EventTime:
    return trainings[-1].started_at if trainings else EventTime(-(2**62))
