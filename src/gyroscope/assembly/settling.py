"""Catching up at once: all that was answered is recorded, measured and judged, and each loop has looked at it.

`POST /v1/settle` comes by here. Who plays a history faster than it happened has the loops keep up with it, at the ends
of its days or weeks: they decide as ever, and nothing goes on meanwhile. It decides nothing itself.
"""

from __future__ import annotations

import threading

from gyroscope.alerts.watch import Rules
from gyroscope.assembly.house import House
from gyroscope.assembly.retraining import RetrainingTurns
from gyroscope.assembly.rollouts import RolloutTurns
from gyroscope.clock import SECOND_NS, SECOND_US, EventTime, machine_now, sleep, wall_now
from gyroscope.predictions.recording.heartbeat import REPORT_FILE, read_report, wait_for_recorder
from gyroscope.supervisor import client

PATIENCE_S = 15.0
"""Below the door's own patience, so that who asks reads what is missing; a training may take much longer."""

PAUSE_S = 0.1


class Settling:
    """Of one house; `rules`, `retraining` and `rollouts` are the loops that control runs."""

    def __init__(self, house: House, rules: Rules, retraining: RetrainingTurns, rollouts: RolloutTurns) -> None:
        self._house = house
        self._rules = rules
        self._retraining = retraining
        self._rollouts = rollouts
        self._alone = threading.Lock()

    def settle(self) -> str:
        """Bring everything up to date with what was answered until now; what is still missing after a while, or ""."""
        asked_at, until = wall_now(), machine_now() + PATIENCE_S * SECOND_NS
        with self._alone:
            while True:
                missing = self._not_recorded(asked_at) or self._not_ready() or self._not_decided()
                if not missing or machine_now() >= until:
                    return missing
                sleep(PAUSE_S)

    def _not_recorded(self, asked_at: EventTime) -> str:
        report = read_report(self._house.run_dir / REPORT_FILE)
        if report is None:
            return "the recorder has not reported yet"
        late = [name for name, lag_s in report.lag_s.items() if report.moment - lag_s * SECOND_US < asked_at]
        if not late:
            return ""
        if any(name not in report.failures for name in late):  # what fails keeps its pauses
            wait_for_recorder(self._house.run_dir)
        return f"answers of {late[0]} are being recorded"

    def _not_ready(self) -> str:
        """A training takes no event time, and neither does the start of a challenger."""
        running = [one for one in self._house.trainings.every() if one.state == "running"]
        if running:
            return f"training {running[0].number} of {running[0].model} is running"
        starting = [
            row["name"] for row in client.status(self._house.run_dir)["processes"] if row["state"] == "starting"
        ]
        return f"{starting[0]} is starting" if starting else ""

    def _not_decided(self) -> str:
        """One look of each loop at all there is; what a step changes is looked at again."""
        before = self._steps()
        self._house.monitor.run_once(wall_now(), final=True)
        self._rules.run_once(wall_now())
        self._retraining.catch_up()
        self._rollouts.catch_up()
        return "" if self._steps() == before else "a step was taken just now"

    def _steps(self) -> tuple[object, ...]:
        house = self._house
        models = house.models.models()
        return (
            [house.routes.revision(model, "routes") for model in models],
            [[(one.number, one.state) for one in house.challengers.every(model)] for model in models],
            [(one.number, one.state) for one in house.trainings.every()],
        )
