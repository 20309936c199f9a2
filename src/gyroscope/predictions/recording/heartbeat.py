"""What the recorder says about itself once a second: `<home>/run/recorder.json`, replaced whole.

The recorder writes it; control, `gyro status` and `gyro predictions` read it. Who waits for what was just answered asks
for a report of now, by a file beside it. Nothing is decided here.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec

from gyroscope.clock import EventTime, parse_event_time

REPORT_FILE = "recorder.json"
WAITED_FOR = "recorder.waited-for"


class RecorderReport(msgspec.Struct, frozen=True):
    """How recording goes, by model. `lag_s` is the age of the oldest record that is not in the table yet."""

    at: str
    failures: dict[str, str] = {}
    rows: int = 0
    lag_s: dict[str, float] = {}
    damage: dict[str, int] = {}
    repeated: dict[str, int] = {}
    table_bytes: dict[str, int] = {}
    over_budget: dict[str, str] = {}
    """Model -> what had to go, or why nothing can, while its log is over its budget."""

    @property
    def moment(self) -> EventTime:
        """When it was written."""
        return parse_event_time(self.at)


def write_report(path: Path, report: RecorderReport) -> None:
    """Replace the file. Raises `OSError` where the disk takes nothing: its age then says so."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(msgspec.json.encode(report))
    fresh.chmod(0o600)
    fresh.replace(path)


def read_report(path: Path) -> RecorderReport | None:
    """The newest report; None before the first, or when the file is damaged.

    >>> from tempfile import TemporaryDirectory
    >>> from gyroscope.clock import EventTime, iso
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / REPORT_FILE
    ...     write_report(path, RecorderReport(iso(EventTime(0)), rows=3))
    ...     read_report(path).rows
    3
    """
    try:
        report = msgspec.json.decode(path.read_bytes(), type=RecorderReport)
        parse_event_time(report.at)
    except (OSError, msgspec.MsgspecError, ValueError):
        return None
    return report


def wait_for_recorder(run_dir: Path) -> None:
    """Have the next cycle record all that lies there, without waiting for its turn, and report at once.

    Where the disk takes no file the recorder goes on at its pace.
    """
    with suppress(OSError):
        (run_dir / WAITED_FOR).touch()


def is_waited_for(run_dir: Path) -> bool:
    """Whether somebody has asked since the last time; each word is heard once.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     wait_for_recorder(Path(folder))
    ...     is_waited_for(Path(folder)), is_waited_for(Path(folder))
    (True, False)
    """
    try:
        (run_dir / WAITED_FOR).unlink()
    except OSError:
        return False
    return True
