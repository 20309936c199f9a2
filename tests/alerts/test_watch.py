"""Rules watch real series and open incidents by the door of the monitors, each complete window once."""

from __future__ import annotations

import pytest
from tests.alerts.causes import cause, judged
from tests.alerts.told import sent

from gyroscope.alerts import Incident, Incidents
from gyroscope.alerts.incident import incident_id
from gyroscope.alerts.outbox import Outbox
from gyroscope.alerts.reconcile import reconcile
from gyroscope.alerts.watch import Rules
from gyroscope.clock import DAY_US, SECOND_US, EventTime
from gyroscope.records import NotEnoughData, Signal
from gyroscope.settings_alerts import RuleSettings
from gyroscope.signals.store import Signals

OF = (("model", "m"), ("version", "v"))
WIDE = RuleSettings(signal="drift", labels={"model": "m"}, threshold=0.3)


class Watch:
    """Signals, incidents and rules of a home; windows are days and complete up to the day `complete`."""

    def __init__(self, folder) -> None:
        self.db = folder / "state.db"
        self.signals = Signals(self.db)
        self.incidents = Incidents(self.db, notifiers=("team",))
        self.outbox = Outbox(self.db)
        self.complete = 1_000
        self.rules = Rules({}, self.db, self.signals, self.incidents, self.newest, DAY_US)
        self.now = EventTime(2_000 * DAY_US)

    def newest(self, model: str, version: str, now: EventTime) -> EventTime:
        return EventTime(self.complete * DAY_US)

    def given(self, **rules: RuleSettings) -> Watch:
        """As a control that was started with these."""
        self.rules = Rules(rules, self.db, self.signals, self.incidents, self.newest, DAY_US)
        return self

    def put(self, day: int, value: float | NotEnoughData, name: str = "drift", **labels: str) -> None:
        more = tuple(sorted({**dict(OF), **labels}.items()))
        self.signals.put([Signal(name, EventTime(day * DAY_US), value, more)])

    def look(self) -> list[tuple[str, str]]:
        self.rules.run_once(self.now)
        return sorted((one.state, one.why) for one in self.incidents.all())


@pytest.fixture
def watch(tmp_path):
    made = Watch(tmp_path)
    yield made
    made.signals.close()


def test_a_firing_rule_is_an_incident_that_is_told_and_closes(watch):
    watch.given(wide=WIDE)
    watch.put(1, 0.4, column="age")
    assert watch.look() == [("open", "drift of age is 0.4, above 0.3")]
    assert sent(watch.outbox) == ["opened"]
    watch.put(2, 0.1, column="age")
    assert watch.look() == [("closed", "drift of age is 0.4, above 0.3")]
    assert sent(watch.outbox) == ["opened"]
    watch.put(17, 0.1, column="age")
    watch.look()
    assert sent(watch.outbox) == ["opened", "resolved"]
    assert watch.signals.latest("rule", {"rule": "wide", "column": "age"}).value == 0.0


def test_an_incomplete_window_never_fires(watch):
    watch.given(wide=WIDE)
    watch.complete = 0
    watch.put(1, 0.9, column="age")
    assert watch.look() == []
    watch.put(1, 0.4, column="age")
    watch.complete = 1
    assert watch.look() == [("open", "drift of age is 0.4, above 0.3")]


def test_what_is_restated_later_is_not_taken_again(watch):
    watch.given(wide=WIDE)
    watch.put(1, 0.1, column="age")
    watch.look()
    watch.put(1, 0.9, column="age")
    assert watch.look() == []


def test_performance_waits_for_its_labels(watch):
    watch.given(bad=RuleSettings(signal="performance", threshold=0.2))
    watch.put(1, 0.3, "performance", metric="brier")
    watch.put(1, 0.0, "labels_mature")
    assert watch.look() == []
    watch.put(1, 1.0, "labels_mature")
    assert watch.look() == [("open", "performance of brier is 0.3, above 0.2")]


def test_what_has_no_value_is_a_state_of_its_own(watch):
    watch.given(wide=WIDE)
    watch.put(1, NotEnoughData("no rows"), column="age")
    assert watch.look() == []
    assert isinstance(watch.signals.latest("rule").value, NotEnoughData)
    watch.put(2, 0.4, column="age")
    watch.put(3, NotEnoughData("no rows"), column="age")
    assert [state for state, _ in watch.look()] == ["open"]


def test_a_control_that_was_killed_opens_nothing_twice_and_goes_on(watch):
    rule = RuleSettings(signal="drift", threshold=0.3, for_s=86_400)
    watch.given(wide=rule)
    watch.put(1, 0.4, column="age")
    assert watch.look() == []
    watch.given(wide=rule)
    watch.put(2, 0.5, column="age")
    for _ in range(2):
        assert watch.look() == [("open", "drift of age is 0.5, above 0.3 for 1 days")]
        watch.given(wide=rule)
    assert sent(watch.outbox) == ["opened"]


def test_each_series_is_watched_by_itself_and_one_rule_is_one_incident(watch):
    watch.given(wide=WIDE)
    for place in range(40):
        watch.put(1, 0.4, column=f"c{place}")
    assert [state for state, _ in watch.look()] == ["open"]
    assert len(watch.incidents.all()[0].children) == 39


def test_one_broken_column_is_one_incident_whatever_rules_say_of_it(watch):
    watch.given(wide=WIDE)
    watch.put(1, 0.4, column="age")
    watch.look()
    watch.incidents.take("m", judged(cause("quality", 1, "age")))
    watch.look()
    (one,) = watch.incidents.all()
    assert (one.kind, [child.kind for child in one.children]) == ("quality", ["rule"])
    assert sent(watch.outbox) == ["opened"]


def test_all_that_one_rule_says_belongs_to_the_column_that_broke(watch):
    watch.given(wide=WIDE)
    for place in range(5):
        watch.put(1, 0.4, column=f"c{place}")
    watch.look()
    watch.incidents.take("m", judged(cause("quality", 1, "c3")))
    watch.look()
    (one,) = watch.incidents.all()
    assert (one.kind, len(one.children)) == ("quality", 5)


def test_one_whose_name_is_taken_by_a_deeper_root_gets_another():
    limit, broken = cause("rule", 10, "slow"), cause("quality", 10, "age")
    told = Incident(**{name: getattr(broken, name) for name in ("model", "version", "kind", "subjects", "since")},
                    id=incident_id(limit), opened=broken.seen, why=broken.reason)  # fmt: skip
    assert list(reconcile([told], judged(broken, limit)).incidents) == [f"{told.id}-2"]


def test_a_rule_that_is_gone_closes_its_incident_and_leaves_others(watch):
    other = RuleSettings(signal="missing_share", threshold=0.1)
    watch.given(wide=WIDE, holes=other)
    watch.put(1, 0.4, column="age")
    watch.put(1, 0.4, "missing_share", column="plan")
    assert [state for state, _ in watch.look()] == ["open", "open"]
    watch.given(holes=other)
    assert watch.look() == [
        ("closed", "drift of age is 0.4, above 0.3"),
        ("open", "missing_share of plan is 0.4, above 0.1"),
    ]
    watch.given(holes=other)
    assert [state for state, _ in watch.look()] == ["closed", "open"]


def test_a_rule_that_was_changed_begins_anew(watch):
    watch.given(wide=WIDE)
    watch.put(1, 0.4, column="age")
    watch.look()
    watch.given(wide=RuleSettings(signal="drift", threshold=0.5))
    assert [state for state, _ in watch.look()] == ["closed"]


@pytest.mark.parametrize(
    "elsewhere",
    [
        RuleSettings(signal="drift", labels={"model": "other"}, threshold=0.3),
        RuleSettings(signal="missing_share", labels={"model": "m"}, threshold=0.3),
    ],
)
def test_a_rule_that_now_watches_something_else_closes_what_it_opened(watch, elsewhere):
    watch.given(wide=WIDE)
    watch.put(1, 0.4, column="age")
    watch.look()
    assert watch.signals.latest("rule").value == 1.0
    watch.given(wide=elsewhere)
    assert [state for state, _ in watch.look()] == ["closed"]
    assert watch.signals.latest("rule").value == 0.0
    watch.look()
    assert len(watch.signals.query("rule", {}, EventTime(0), watch.now)) == 2, "it is said once"


def test_an_alert_stands_from_when_it_comes_until_it_goes(watch):
    disk = RuleSettings(signal="alert", labels={"name": "disk_full"}, threshold=0.5, for_s=60, clear_for_s=60)
    of = (("model", ""), ("name", "disk_full"))
    watch.given(disk=disk)
    seen = []
    for value in (1.0, 0.0):
        watch.now = EventTime(watch.now + SECOND_US)
        watch.signals.put([Signal("alert", watch.now, value, of)])
        for later_s in (0, 61):
            watch.now = EventTime(watch.now + later_s * SECOND_US)
            seen.append([state for state, _ in watch.look()])
    assert seen == [[], ["open"], ["open"], ["closed"]]
    assert sent(watch.outbox) == ["opened"]
    watch.now = EventTime(watch.now + 3_600 * SECOND_US)
    watch.look()
    assert sent(watch.outbox) == ["opened", "resolved"]


def test_seconds_need_no_window_and_silence_is_not_known(watch):
    slow = RuleSettings(signal="latency_p99_s", threshold=0.5, for_s=2)
    watch.given(slow=slow)
    watch.complete = -1
    start = watch.now - 10 * SECOND_US
    for second in range(4):
        at = EventTime(start + second * SECOND_US)
        watch.signals.put([Signal("latency_p99_s", at, 0.7, (("model", "m"),))])
    assert watch.look() == [("open", "latency_p99_s is 0.7, above 0.5 for 2 s")]
    watch.now = EventTime(watch.now + 120 * SECOND_US)
    assert [state for state, _ in watch.look()] == ["open"]
    assert watch.rules.run_once(watch.now) == 0, "silence is taken once"
    back = EventTime(watch.now - SECOND_US)
    watch.signals.put([Signal("latency_p99_s", back, 0.1, (("model", "m"),))])
    assert [state for state, _ in watch.look()] == ["closed"]


def test_the_evidence_of_monitors_is_a_signal_like_others(watch):
    watch.given(near=RuleSettings(signal="evidence", threshold=0.5, severity="inform"))
    watch.put(1, 0.6, "evidence", family="input")
    assert watch.look() == [("open", "evidence of input is 0.6, above 0.5")]
    assert sent(watch.outbox) == []
