"""What is said when, given what was seen: no clock, no file."""

from __future__ import annotations

import msgspec
import pytest

from gyroscope.clock import SECOND_NS, MachineTime
from gyroscope.monitoring.alerts import GIB, Alert, Disk, Memory, Seen, standing
from gyroscope.predictions.recording.heartbeat import RecorderReport

REPORT = RecorderReport("2013-03-01T00:00:00Z")
CALM = Seen(MachineTime(0), {"flights": 7}, REPORT, 0.4, ())


def at(seconds: float, seen: Seen = CALM, **changes: object) -> Seen:
    return msgspec.structs.replace(seen, at=MachineTime(int(seconds * SECOND_NS)), **changes)


def report(**changes: object) -> RecorderReport:
    return msgspec.structs.replace(REPORT, **changes)


def names(seen: Seen, memory: Memory | None) -> list[tuple[str, str]]:
    return [(alert.name, alert.model) for alert in standing(seen, memory)[0]]


def after(*looks: Seen) -> tuple[list[Alert], Memory]:
    alerts, memory = standing(looks[0], None)
    for seen in looks[1:]:
        alerts, memory = standing(seen, memory)
    return alerts, memory


def test_a_house_that_is_well_has_no_alert():
    assert after(CALM, at(1), at(100)) == ([], after(CALM, at(1), at(100))[1])


def test_lost_predictions_are_said_at_once_and_for_a_minute_after_the_last():
    alerts, memory = after(CALM, at(1, unlogged={"flights": 10}), at(2, unlogged={"flights": 12}))
    assert [(alert.name, alert.model) for alert in alerts] == [("log_loss", "flights")]
    assert alerts[0].what.startswith("5 predictions of flights")
    assert names(at(61, unlogged={"flights": 12}), memory) == [("log_loss", "flights")]
    assert names(at(63, unlogged={"flights": 12}), memory) == []


def test_a_second_loss_counts_from_its_own_beginning():
    _, memory = after(CALM, at(1, unlogged={"flights": 10}), at(100, unlogged={"flights": 10}))
    alerts, _ = standing(at(101, unlogged={"flights": 11}), memory)
    assert alerts[0].what.startswith("1 predictions of flights")


def test_losses_of_days_ago_are_no_news_but_a_new_model_begins_at_none():
    assert after(CALM)[0] == []
    alerts, _ = after(CALM, at(1, unlogged={"flights": 7, "churn": 2}))
    assert [(alert.name, alert.model) for alert in alerts] == [("log_loss", "churn")]


def test_damage_stands_for_an_hour():
    _, memory = after(CALM, at(1, report=report(damage={"flights": 0})), at(2, report=report(damage={"flights": 3})))
    hurt = report(damage={"flights": 3})
    assert names(at(3_600, report=hurt), memory) == [("log_damage", "flights")]
    assert names(at(3_603, report=hurt), memory) == []


def test_a_silent_recorder_is_a_stalled_one():
    assert names(at(1, report_age_s=4.9), None) == []
    assert names(at(1, report_age_s=5.1), None) == [("recording_stalled", "")]
    assert standing(at(1, report_age_s=5.1), None)[0][0].what == "the recorder has said nothing for 5 s"


def test_a_recorder_that_never_reported_gets_the_time_to_start():
    silent = at(0, report=None)
    _, memory = standing(silent, None)
    assert names(at(14, silent), memory) == []
    assert names(at(16, silent), memory) == [("recording_stalled", "")]


def test_failures_and_lag_name_their_model_once():
    seen = at(1, report=report(failures={"flights": "no room"}, lag_s={"flights": 90.0, "churn": 61.0, "other": 59.0}))
    alerts, _ = standing(seen, None)
    assert [(alert.model, alert.what) for alert in alerts] == [
        ("churn", "predictions of churn wait 61 s to be recorded"),
        ("flights", "recording flights fails: no room"),
    ]


def test_a_budget_that_is_exceeded_says_what_went():
    alerts, _ = standing(at(1, report=report(over_budget={"flights": "2013-01-01 was deleted"})), None)
    assert [(alert.name, alert.what) for alert in alerts] == [("disk_budget", "2013-01-01 was deleted")]


@pytest.mark.parametrize(
    ("disk", "said"),
    [
        (Disk("home", "/h", free=6, total=100), ""),
        (Disk("home", "/h", free=4, total=100), "the disk of the home has 0 MiB left"),
        (Disk("home", "/h", free=3 * GIB, total=1_000 * GIB), ""),
        (Disk("home", "/h", free=GIB, total=1_000 * GIB), "the disk of the home has 1,024 MiB left"),
        (Disk("home", "/h", 50, 100, free_inodes=3, inodes=1_000), "the disk of the home has 3 inodes left"),
        (Disk("home", "/h", 50, 100, free_inodes=30, inodes=1_000), ""),
    ],
)
def test_a_disk_is_full_before_it_is(disk, said):
    alerts, _ = standing(at(1, disks=(disk,)), None)
    assert [alert.what for alert in alerts] == ([said] if said else [])


def test_every_alert_says_what_where_and_how_to_mend_it():
    bad = at(
        2,
        unlogged={"flights": 9},
        report=report(damage={"flights": 1}, failures={"flights": "x"}, over_budget={"flights": "y"}),
        disks=(Disk("home", "/h", 1, 100),),
    )
    alerts, _ = after(at(1, report=report(damage={"flights": 0})), bad)
    assert {alert.name for alert in alerts} == {
        "log_loss",
        "log_damage",
        "recording_stalled",
        "disk_budget",
        "disk_full",
    }
    assert all(alert.what and alert.where and alert.fix for alert in alerts)
