"""The decision about a challenger: each reason from the figures that lead to it, and nothing from too little."""

from __future__ import annotations

import msgspec
import pytest

from gyroscope.rollouts.decide import LONGER, Arms, Policy, Reason, Seen, Windows, decide, recompute

SAME = Arms((900,) * 30, (9,) * 30, (100,) * 30, (1,) * 30)
WORSE = Arms((900,) * 30, (9,) * 30, (100,) * 30, (20,) * 30)
CANARY = Seen("m", "v", "canary", Policy(steps=(0.1, 0.5), step_s=60.0), 0.1, 60.0, errors=SAME, slow=SAME)
HELD = msgspec.structs.replace(CANARY, stage="holdback")
SHADOW = msgspec.structs.replace(CANARY, stage="shadow", share=0.0)
GAIN = Windows(tuple(0.02 + 0.002 * (at % 3) for at in range(14)), (500,) * 14, 14.0)
LOSS = msgspec.structs.replace(GAIN, differences=tuple(-one for one in GAIN.differences))
EQUAL = Windows(tuple(0.01 * (-1) ** at for at in range(14)), (500,) * 14, 14.0)


@pytest.mark.parametrize(
    ("seen", "change", "action", "reason"),
    [
        (CANARY, {"asked": "promote"}, "promote", Reason.ASKED),
        (CANARY, {"stage": "waiting"}, "shadow", Reason.ITS_TURN),
        (CANARY, {"deaths": 3}, "roll back", Reason.KEEPS_DYING),
        (CANARY, {"is_ready": False, "starts_s": 121.0}, "roll back", Reason.CANNOT_START),
        (CANARY, {"is_ready": False, "starts_s": 9.0, "step_s": 3_600.0, "deaths": 1}, "keep waiting", Reason.STARTING),
        (CANARY, {"is_ready": False}, "keep waiting", Reason.STARTING),
        (CANARY, {"errors": WORSE}, "roll back", Reason.ERRORS),
        (CANARY, {"slow": WORSE}, "roll back", Reason.SLOW),
        (CANARY, {"windows": LOSS}, "roll back", Reason.WORSE),
        (CANARY, {"age_days": 61.0, "step_s": 59.0}, "roll back", Reason.TOO_LONG),
        (CANARY, {"age_days": 61.0}, "canary", Reason.CLEAN_STEP),
        (SHADOW, {"windows": msgspec.structs.replace(GAIN, days=61.0)}, "canary", Reason.PROVEN),
        (SHADOW, {"windows": msgspec.structs.replace(EQUAL, days=61.0)}, "roll back", Reason.TOO_LONG),
        (CANARY, {}, "canary", Reason.CLEAN_STEP),
        (CANARY, {"share": 0.5}, "keep waiting", Reason.SPLIT),
        (CANARY, {"step_s": 59.0}, "keep waiting", Reason.NOT_ENOUGH_DATA),
        (CANARY, {"errors": Arms(), "slow": Arms()}, "keep waiting", Reason.NOT_ENOUGH_DATA),
        (CANARY, {"windows": EQUAL}, "canary", Reason.CLEAN_STEP),
        (SHADOW, {}, "keep waiting", Reason.NOT_ENOUGH_DATA),
        (SHADOW, {"windows": GAIN}, "canary", Reason.PROVEN),
        (SHADOW, {"windows": LOSS}, "roll back", Reason.WORSE),
        (SHADOW, {"windows": EQUAL}, "keep waiting", Reason.UNDECIDED),
        (SHADOW, {"windows": GAIN, "segments": {"city=JFK": LOSS}}, "keep waiting", Reason.SEGMENT),
        (SHADOW, {"windows": GAIN, "errors": WORSE}, "roll back", Reason.ERRORS),
        (SHADOW, {"windows": GAIN, "slow": WORSE}, "canary", Reason.PROVEN),
        (SHADOW, {"policy": Policy(needs="nothing", step_s=60.0)}, "canary", Reason.CLEAN_STEP),
        (HELD, {}, "keep waiting", Reason.NOT_ENOUGH_DATA),
        (HELD, {"step_s": 3_600.0}, "keep", Reason.CLEAN_HOLDBACK),
        (HELD, {"step_s": 3_600.0, "is_ready": False}, "keep waiting", Reason.STARTING),
        (HELD, {"step_s": 3_600.0, "errors": Arms(), "slow": Arms()}, "keep waiting", Reason.NOT_ENOUGH_DATA),
        (HELD, {"step_s": 86_400.0, "errors": Arms(), "slow": Arms()}, "keep", Reason.WARM_ENOUGH),
        (HELD, {"deaths": 3}, "roll back", Reason.KEEPS_DYING),
        (HELD, {"errors": WORSE}, "roll back", Reason.ERRORS),
        (HELD, {"slow": WORSE}, "roll back", Reason.SLOW),
        (HELD, {"windows": LOSS}, "roll back", Reason.WORSE),
        (HELD, {"windows": GAIN}, "keep waiting", Reason.NOT_ENOUGH_DATA),
        (CANARY, {"stage": "standing"}, "keep waiting", Reason.UNDECIDED),
        (CANARY, {"stage": "standing", "windows": LOSS}, "roll back", Reason.WORSE),
        (CANARY, {"stage": "standing", "step_s": 86_400.0}, "retire", Reason.WARM_ENOUGH),
    ],
)
def test_each_reason(seen, change, action, reason):
    changed = msgspec.structs.replace(seen, **change)
    decision = decide(changed)
    assert (decision.action, decision.reason) == (action, reason)
    again = recompute(msgspec.json.encode(changed).decode())
    assert (again.action, again.reason) == (action, reason), "the journal keeps all that it takes"


def test_what_is_broken_is_not_promoted_before_it_is_seen():
    broken = Arms((152,), (0,), (600,), (600,))
    seen = msgspec.structs.replace(CANARY, policy=Policy(step_s=0.0), share=0.8, errors=broken, slow=broken)
    assert decide(seen).reason == Reason.UNDECIDED


def test_bad_moments_of_the_machine_make_no_slow_version():
    # Two stalls: all that was asked within them was slow, whoever answered it.
    slow = Arms((45,) * 6, (2,) * 6, (45,) * 6, (0, 40, 0, 0, 40, 0))
    fine = msgspec.structs.replace(slow, a_harm=(0,) * 6, b_harm=(0,) * 6)
    seen = msgspec.structs.replace(CANARY, share=0.5, errors=fine, slow=slow)
    found = decide(seen)
    assert found.action == "keep waiting"
    failing = msgspec.structs.replace(fine, b_harm=(20, 22, 19, 21, 20, 18))
    assert decide(msgspec.structs.replace(seen, errors=failing)).reason == Reason.ERRORS
    always = msgspec.structs.replace(slow, b_harm=(20, 22, 19, 21, 20, 18))
    assert decide(msgspec.structs.replace(seen, slow=always)).reason == Reason.SLOW
    assert decide(msgspec.structs.replace(seen, slow=always, work=LONGER)).reason == Reason.SLOW
    waits = decide(msgspec.structs.replace(seen, slow=always, work=LONGER - 0.01))
    assert (waits.action, waits.reason) == ("keep waiting", Reason.NOT_ENOUGH_DATA), "only its line is longer"


def test_the_last_clean_step_promotes():
    half = Arms((500,) * 30, (5,) * 30, (500,) * 30, (5,) * 30)
    last = msgspec.structs.replace(CANARY, share=0.5, errors=half, slow=half)
    assert decide(last).action == "promote"


def test_a_challenger_that_wins_by_the_margin_only():
    asks = msgspec.structs.replace(SHADOW, windows=GAIN, policy=Policy(margin=0.05, step_s=60.0))
    assert (decide(asks).action, decide(asks).reason) == ("roll back", Reason.NOT_BETTER)
    no_worse = msgspec.structs.replace(SHADOW, windows=EQUAL, policy=Policy(needs="no_worse", margin=0.02, step_s=60.0))
    assert decide(no_worse).action == "canary"
