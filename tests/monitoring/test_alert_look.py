"""Looking at real pulses, reports and disks, and the file that says what stands."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from gyroscope.clock import SECOND_NS, SECOND_US, EventTime, MachineTime, iso
from gyroscope.monitoring.alert_look import (
    ALERTS_FILE,
    FILE_BYTES,
    Known,
    Look,
    Lookout,
    as_signals,
    read_look,
    stood,
    unlogged,
    write_look,
)
from gyroscope.monitoring.alerts import Alert
from gyroscope.predictions.recording.heartbeat import REPORT_FILE, RecorderReport, read_report, write_report
from gyroscope.supervisor.pulse import Pulse


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for folder in ("home/run", "runtime/pulses"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


class Time:
    """Both clocks, moved by hand."""

    def __init__(self, place: Path, **options: bool) -> None:
        self.lookout = Lookout(place / "home", place / "runtime", **options)
        self.report = place / "home" / "run" / REPORT_FILE
        self.s = 0

    def look(self, s: int, *, is_recording: bool = True) -> list[tuple[str, str]]:
        self.s = s
        if is_recording:
            write_report(self.report, RecorderReport(iso(EventTime(s * SECOND_US))))
        look = self.lookout.look(MachineTime(s * SECOND_NS), EventTime(s * SECOND_US))
        return [(known.alert.name, known.since) for known in look.standing]


def lose(place: Path, n: int, replica: str = "flights-0a1b2c3d4e5f-0") -> None:
    pulse = Pulse.create(place / "runtime" / "pulses" / f"{replica}.pulse")
    pulse.add("unlogged", n)
    pulse.close()


def test_an_alert_comes_keeps_its_moment_and_goes(place):
    lose(place, 0)
    time = Time(place)
    assert time.look(1) == []
    lose(place, 2)
    assert time.look(2) == [("log_loss", iso(EventTime(2 * SECOND_US)))]
    assert time.look(30) == [("log_loss", iso(EventTime(2 * SECOND_US)))]
    assert time.look(63) == []
    gone = read_look(place / "runtime" / ALERTS_FILE)
    assert [(known.alert.name, known.is_standing) for known in gone.alerts] == [("log_loss", False)]
    lose(place, 1)
    assert time.look(70) == [("log_loss", iso(EventTime(70 * SECOND_US)))]


def test_a_log_that_is_switched_off_loses_nothing(place):
    time = Time(place, is_logging=False)
    assert time.look(1) == []
    lose(place, 9)
    assert time.look(2) == []


def test_a_recorder_that_dies_is_said_within_ten_seconds(place):
    time = Time(place)
    assert time.look(1) == []
    assert [name for name, _ in time.look(7, is_recording=False)] == ["recording_stalled"]
    assert time.look(8) == []


def test_a_damaged_report_is_no_report(place):
    path = place / "home" / "run" / REPORT_FILE
    for text in (b"{", b'{"at": "yesterday"}', b"\xff", b'{"rows": 1}'):
        path.write_bytes(text)
        assert read_report(path) is None


def test_replicas_of_a_model_are_added_up(place):
    lose(place, 2)
    lose(place, 3, "flights-0a1b2c3d4e5f-1")
    lose(place, 4, "churn-no-0a1b2c3d4e5f-1")
    (place / "runtime" / "pulses" / "broken-0a1b2c3d4e5f-0.pulse").write_bytes(b"x")
    assert unlogged(place / "runtime" / "pulses") == {"flights": 5, "churn-no": 4}


def test_the_file_is_written_over_in_place(tmp_path):
    path = tmp_path / ALERTS_FILE
    write_look(path, Look("2013-03-01T00:00:00Z"))
    inode = path.stat().st_ino
    look = Look("2013-03-01T00:00:01Z", (Known(Alert("log_loss", "m", "a", "b", "c"), "now"),))
    write_look(path, look)
    assert (path.stat().st_ino, path.stat().st_size) == (inode, FILE_BYTES)
    assert read_look(path) == look


def test_a_half_written_file_is_not_believed(tmp_path):
    path = tmp_path / ALERTS_FILE
    assert read_look(path) is None
    write_look(path, Look("2013-03-01T00:00:00Z"))
    data = bytearray(path.read_bytes())
    data[20] ^= 1
    path.write_bytes(data)
    assert read_look(path) is None


def test_more_alerts_than_fit_are_cut_not_lost_all(tmp_path):
    many = tuple(Known(Alert("log_loss", f"m{k}", "w" * 200, "x", "y"), "now") for k in range(500))
    write_look(tmp_path / ALERTS_FILE, Look("2013-03-01T00:00:00Z", many))
    assert 0 < len(read_look(tmp_path / ALERTS_FILE).alerts) < 500


def test_coming_and_going_are_points_of_a_series():
    known = Known(Alert("log_loss", "m", "a", "b", "c"), "now")
    stands, gone = Look("", (known,)), Look("", (msgspec.structs.replace(known, is_standing=False),))
    came = as_signals(stands, set(), EventTime(5))
    assert [(point.name, point.value, point.labels) for point in came] == [
        ("alert", 1.0, (("model", "m"), ("name", "log_loss")))
    ]
    assert [point.value for point in as_signals(gone, stood(came), EventTime(6))] == [0.0]
    assert as_signals(stands, stands.keys, EventTime(7)) == []
