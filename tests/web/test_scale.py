"""What a platform's scaler reads."""

from __future__ import annotations

import msgspec

from gyroscope.clock import SECOND_US, EventTime, wall_now
from gyroscope.records import Signal
from gyroscope.scaling.loop import DESIRED
from gyroscope.settings_models import ModelPolicy, Replicas
from gyroscope.signals.journal import Act


def test_a_plain_number_is_what_is_desired(site):
    said = site.ask_as_program("/v1/scale/flights").json
    assert (said["desired_replicas"], said["reason"]) == (2, "fixed_size")


def test_an_unknown_model_is_404(site):
    assert site.ask_as_program("/v1/scale/nobody").status == 404


def test_the_newest_decision_is_told_and_an_old_one_is_none(site):
    site.parts.settings.models["flights"] = ModelPolicy(replicas=Replicas(1, 9))
    try:
        old = Signal(DESIRED, EventTime(wall_now() - 3_600 * SECOND_US), 4.0, (("model", "flights"),))
        site.parts.signals.put([old])
        assert site.ask_as_program("/v1/scale/flights").status == 503
        site.parts.signals.put([msgspec.structs.replace(old, at=wall_now(), value=5.0)])
        site.parts.journal.append(Act("scaling", "flights", "2 -> 5", "burst", "propose", "{}", wall_now()))
        said = site.ask_as_program("/v1/scale/flights").json
        assert (said["replicas"], said["desired_replicas"], said["reason"]) == (2, 5, "burst")
        assert said["mode"] == "propose"
    finally:
        del site.parts.settings.models["flights"]
