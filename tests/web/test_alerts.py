"""Standing alerts on the page, in the API and in a scrape; what control said long ago is no news."""

from __future__ import annotations

from gyroscope.clock import SECOND_US, EventTime, iso, wall_now
from gyroscope.monitoring.alert_look import ALERTS_FILE, Known, Look, write_look
from gyroscope.monitoring.alerts import Alert

LOSS = Known(
    Alert("log_loss", "flights", "<b>5 predictions were not written</b>", "/dev/shm", "make room"), "2013-03-01"
)
GONE = Known(Alert("disk_full", "", "there was no room", "/", "make room"), "2013-03-01", is_standing=False)


def say(site, *alerts: Known, age_s: int = 0) -> None:
    at = iso(EventTime(wall_now() - age_s * SECOND_US))
    write_look(site.parts.runtime / ALERTS_FILE, Look(at, alerts))


def test_an_alert_is_on_the_page_as_text(site):
    cookie = site.sign_in()
    say(site, LOSS, GONE)
    text = site.ask("/", headers=cookie).text
    assert "&lt;b&gt;5 predictions were not written&lt;/b&gt;" in text and "make room" in text
    assert "there was no room" not in text
    say(site)
    assert "5 predictions were not written" not in site.ask("/", headers=cookie).text


def test_programs_get_what_where_and_fix(site):
    say(site, LOSS, GONE)
    alerts = site.ask_as_program("/v1/alerts").json["alerts"]
    assert [(one["name"], one["model"], one["fix"]) for one in alerts] == [("log_loss", "flights", "make room")]
    assert [one["since"] for one in site.ask_as_program("/v1/status").json["alerts"]] == ["2013-03-01"]


def test_a_scrape_has_one_for_what_stands_and_zero_for_what_has_gone(site):
    say(site, LOSS, GONE)
    lines = site.ask_as_program("/metrics").text.splitlines()
    assert 'gyroscope_alert{name="log_loss",model="flights"} 1' in lines
    assert 'gyroscope_alert{name="disk_full",model=""} 0' in lines


def test_what_control_said_before_it_died_is_not_shown(site):
    say(site, LOSS, age_s=61)
    assert site.ask_as_program("/v1/alerts").json["alerts"] == []
