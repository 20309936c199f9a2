"""What control's loops do in their turns, in a house whose processes are not running."""

from __future__ import annotations

from gyroscope.assembly import House
from gyroscope.assembly.control import turns, watch
from gyroscope.assembly.retraining import RetrainingTurns
from gyroscope.assembly.rollouts import RolloutTurns
from gyroscope.assembly.ruling import rules
from gyroscope.clock import SECOND_US, EventTime, machine_now, wall_now
from gyroscope.monitoring.alert_look import Lookout
from gyroscope.records import Signal


def test_an_alert_that_went_while_no_control_ran_is_over_with_the_first_look(lived):
    house = lived.house
    came = EventTime(wall_now() - SECOND_US)
    of = (("model", "flights"), ("name", "log_loss"))
    house.signals.put([Signal("alert", came, 1.0, of)])
    lookout = Lookout(house.home, house.runtime)
    step = watch(house, lookout)
    step()
    assert house.signals.latest("alert").at == came, "nobody has looked yet"
    lookout.look(machine_now(), wall_now())
    for _ in range(2):
        step()
        assert [point.value for point in house.signals.query("alert", dict(of), EventTime(0), wall_now())] == [1.0, 0.0]


def test_the_last_rule_that_is_taken_out_closes_its_incident(lived):
    settings = lived.house.home.parent / "gyroscope.yaml"
    without = settings.read_text()
    for text, states in ((f"{without}rules: {{slow: {{signal: latency_p99_s, threshold: 0.5}}}}\n", ["open"]),
                         (without, ["closed"])):  # fmt: skip
        settings.write_text(text)
        house = House(settings)
        house.signals.put([Signal("latency_p99_s", wall_now(), 0.7, (("model", "flights"),))])
        lookout = Lookout(house.home, house.runtime)
        every = turns(house, lookout, rules(house), RetrainingTurns(house), RolloutTurns(house))
        next(step for name, step, _ in every if name == "rules")()
        assert [one.state for one in house.incidents.all()] == states
        house.signals.close()
