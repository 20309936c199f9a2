"""What a rule found is on the pages like any incident: on the time line, with the series it watched, or with none."""

from __future__ import annotations

from gyroscope.alerts import Incident
from gyroscope.alerts.watch import Rules
from gyroscope.clock import DAY_US, EventTime, wall_now
from gyroscope.records import Signal
from gyroscope.settings_alerts import RuleSettings


def test_rules_on_windows_on_seconds_and_on_the_machine_are_drawn(site):
    parts = site.parts
    parts.signals.put([Signal("alert", EventTime(9), 1.0, (("model", ""), ("name", "disk_full")))])
    rules = {
        "wide": RuleSettings(signal="drift", labels={"model": "flights", "column": "dest"}, threshold=0.09),
        "slow": RuleSettings(signal="latency_p99_s", threshold=0.01),
        "full": RuleSettings(signal="alert", threshold=0.5),
    }
    db = parts.settings.home_path / "state.db"
    Rules(rules, db, parts.signals, parts.incidents, lambda *_: EventTime(1 << 60), DAY_US).run_once(wall_now())
    found = {one.subjects[0]: one for one in parts.incidents.all() if one.kind == "rule"}
    assert {name: one.model for name, one in found.items()} == {"wide": "flights", "slow": "flights", "full": "house"}
    assert "wide" in _figure(site, "incidents", found["wide"]).text
    for name, signal in (("wide", "drift"), ("slow", "latency_p99_s")):
        drawn = _figure(site, "incident", found[name])
        assert drawn.status == 200
        assert signal in drawn.text
    page = site.ask(f"/incidents/{found['full'].id}", headers=site.sign_in()).text
    assert "beyond a limit: full, disk_full" in page
    assert "/models/house" not in page


def _figure(site, name: str, one: Incident):
    return site.ask(f"/models/flights/figures/{name}.json?incident={one.id}", headers=site.sign_in())
