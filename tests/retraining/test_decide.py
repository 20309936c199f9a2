"""When a model is trained anew: each trigger, each thing that speaks against it, and the journal's second answer."""

from __future__ import annotations

import msgspec
import pytest

from gyroscope.clock import DAY_US, EventTime
from gyroscope.retraining.decide import Broken, Policy, Reason, Seen, decide, recompute

DAY = 100 * DAY_US
CALM = Seen("m", EventTime(DAY), rows=5_000, first=EventTime(0), last=EventTime(DAY), data="b", before="a")
FELL = msgspec.structs.replace(CALM, incidents=("brier rose",))


@pytest.mark.parametrize(
    ("seen", "change", "action", "reason"),
    [
        (CALM, {}, "keep waiting", Reason.NO_TRIGGER),
        (FELL, {}, "train", Reason.INCIDENT),
        (CALM, {"asked": True}, "train", Reason.ASKED),
        (CALM, {"policy": Policy(every_days=30)}, "train", Reason.SCHEDULE),
        (CALM, {"policy": Policy(every_days=30), "started": (DAY - 29 * DAY_US,)}, "keep waiting", Reason.NO_TRIGGER),
        (CALM, {"policy": Policy(new_labels=1_000), "rows_before": 4_000}, "train", Reason.LABELS),
        (CALM, {"policy": Policy(new_labels=1_000), "rows_before": 4_001}, "keep waiting", Reason.NO_TRIGGER),
        (FELL, {"policy": Policy(on_incident=False)}, "keep waiting", Reason.NO_TRIGGER),
        (FELL, {"policy": Policy(is_set_up=False)}, "keep waiting", Reason.NOT_SET_UP),
        (FELL, {"is_running": True}, "keep waiting", Reason.RUNNING),
        (FELL, {"has_challenger": True}, "keep waiting", Reason.CHALLENGER),
        (FELL, {"taken_back": 2}, "keep waiting", Reason.HALTED),
        (FELL, {"taken_back": 2, "asked": True}, "train", Reason.ASKED),
        (FELL, {"started": (DAY - DAY_US // 2,)}, "keep waiting", Reason.COOL_DOWN),
        (FELL, {"started": (DAY - DAY_US // 2,), "asked": True}, "train", Reason.ASKED),
        (FELL, {"started": (DAY - 2, DAY - 1), "asked": True}, "keep waiting", Reason.DAILY_CAP),
        (FELL, {"rows": 999}, "keep waiting", Reason.TOO_FEW_ROWS),
        (FELL, {"broken": (Broken(("age",), EventTime(DAY - 5)),)}, "keep waiting", Reason.BROKEN_DATA),
        (FELL, {"broken": (Broken(("age",), EventTime(DAY + 1)),)}, "train", Reason.INCIDENT),
        (
            FELL,
            {"broken": (Broken(("age",), EventTime(5)),), "has_challenger": True},
            "keep waiting",
            Reason.BROKEN_DATA,
        ),
        (FELL, {"before": "b"}, "keep waiting", Reason.SAME_DATA),
    ],
)
def test_each_reason(seen, change, action, reason):
    changed = msgspec.structs.replace(seen, **change)
    decision = decide(changed)
    assert (decision.action, decision.reason) == (action, reason)
    again = recompute(msgspec.json.encode(changed).decode())
    assert (again.action, again.reason, again.evidence) == (action, reason, decision.evidence)


def test_a_veto_names_the_columns():
    broken = (Broken(("age", "income"), EventTime(5)),)
    assert decide(msgspec.structs.replace(FELL, broken=broken)).evidence["columns"] == "age, income"
