"""What is wrong with the log right now, in words a tired person can act on. Pure: counters in, alerts out.

`alert_look.py` gathers the counters once a second in control. An alert stands while its cause lasts and goes by itself.
"""

from __future__ import annotations

import msgspec

from gyroscope.clock import SECOND_NS, MachineTime
from gyroscope.predictions.recording.heartbeat import RecorderReport

MIB = 1_048_576
GIB = 1_024 * MIB

# A recorder reports every second; five silent ones are more than a slow commit, and leave half of the 10 s promised.
SILENT_S = 5.0
# After the start of control the recorder may still be catching up with its tables before it reports for the first time.
FIRST_REPORT_S = 15.0
LAG_S = 60.0
LOSS_NS = 60 * SECOND_NS
DAMAGE_NS = 3_600 * SECOND_NS
LOW_SHARE, LOW_BYTES = 0.05, 2 * GIB
LOW_INODES = 0.01


class Disk(msgspec.Struct, frozen=True):
    """Room of one file system, as its owner sees it; `inodes` 0 where it has no fixed number."""

    role: str
    path: str
    free: int
    total: int
    free_inodes: int = 0
    inodes: int = 0


class Seen(msgspec.Struct, frozen=True):
    """One look: `unlogged` and the report's damage count up for ever. `report_age_s` is what the wall clock says."""

    at: MachineTime
    unlogged: dict[str, int]
    report: RecorderReport | None
    report_age_s: float
    disks: tuple[Disk, ...]
    report_path: str = "run/recorder.json"
    segments_path: str = "segments"


class Alert(msgspec.Struct, frozen=True):
    """One thing that a person should do something about. `model` is empty where it concerns all."""

    name: str
    model: str
    what: str
    where: str
    fix: str


class Rise(msgspec.Struct, frozen=True):
    """A counter that went up: when last, by how much since it began to, and where it stood before."""

    count: int
    last: MachineTime
    before: int


class Memory(msgspec.Struct, frozen=True):
    """What must be known of earlier looks."""

    began: MachineTime
    has_looked: bool = False
    counts: dict[str, int] = {}
    rises: dict[str, Rise] = {}


def standing(seen: Seen, memory: Memory | None) -> tuple[list[Alert], Memory]:
    """The alerts that stand now, and what the next look must know.

    >>> nothing = Seen(MachineTime(0), {"m": 4}, RecorderReport("1970-01-01T00:00:00Z"), 0.5, ())
    >>> alerts, memory = standing(nothing, None)
    >>> alerts
    []
    >>> later = msgspec.structs.replace(nothing, at=MachineTime(SECOND_NS), unlogged={"m": 9})
    >>> [(alert.name, alert.what) for alert in standing(later, memory)[0]]
    [('log_loss', '5 predictions of m were not written down; the last within a minute')]
    """
    before = memory or Memory(seen.at)
    damage = seen.report.damage if seen.report else {}
    counts = {f"log_loss {model}": count for model, count in seen.unlogged.items()}
    counts |= {f"log_damage {model}": count for model, count in damage.items()}
    now = Memory(before.began, True, before.counts | counts, _rises(seen.at, counts, before))
    alerts = [*_lost(seen, now), *_damaged(now), *_stalled(seen, now), *_budget(seen), *_full(seen)]
    return alerts, now


def _rises(at: MachineTime, counts: dict[str, int], before: Memory) -> dict[str, Rise]:
    rises = {key: rise for key, rise in before.rises.items() if at - rise.last <= _kept(key)}
    for key, count in counts.items():
        known = before.counts.get(key, count if key.startswith("log_damage") or _is_first(before) else 0)
        if count > known:
            base = rises[key].before if key in rises else known
            rises[key] = Rise(count - base, at, base)
    return rises


def _is_first(before: Memory) -> bool:
    """Before the first look a counter may have risen for days; a replica's that is new later began at 0.

    A recorder that is started again tells of its models one after the other, of each what it found in years.
    """
    return not before.has_looked


def _kept(key: str) -> int:
    return LOSS_NS if key.startswith("log_loss") else DAMAGE_NS


def _lost(seen: Seen, now: Memory) -> list[Alert]:
    return [
        Alert(
            "log_loss",
            model,
            f"{rise.count:,} predictions of {model} were not written down; the last within a minute",
            seen.segments_path,
            "make room there and see that the recorder runs (gyro status); log and replica logs say why",
        )
        for model, rise in _of(now, "log_loss")
    ]


def _damaged(now: Memory) -> list[Alert]:
    return [
        Alert(
            "log_damage",
            model,
            f"{rise.count:,} places in the log of {model} could not be read; the last within an hour",
            f"gyro predictions verify {model}",
            "the command lists each by segment and offset; check memory and disk of this machine",
        )
        for model, rise in _of(now, "log_damage")
    ]


def _of(now: Memory, name: str) -> list[tuple[str, Rise]]:
    return sorted((key.partition(" ")[2], rise) for key, rise in now.rises.items() if key.startswith(f"{name} "))


def _stalled(seen: Seen, now: Memory) -> list[Alert]:
    path, fix = seen.report_path, "gyro status shows whether it runs, its log why not; answers are kept meanwhile"
    if seen.report is None or seen.report_age_s > SILENT_S:
        if (seen.at - now.began) / SECOND_NS < FIRST_REPORT_S and seen.report is None:
            return []
        age = f"for {seen.report_age_s:,.0f} s" if seen.report else "since the start"
        return [Alert("recording_stalled", "", f"the recorder has said nothing {age}", path, fix)]
    failing = {model: f"recording {model} fails: {text}" for model, text in seen.report.failures.items()}
    slow = {
        model: f"predictions of {model} wait {lag:,.0f} s to be recorded"
        for model, lag in seen.report.lag_s.items()
        if lag > LAG_S
    }
    return [Alert("recording_stalled", model, what, path, fix) for model, what in sorted((slow | failing).items())]


def _budget(seen: Seen) -> list[Alert]:
    over = seen.report.over_budget if seen.report else {}
    fix = "raise log.budget_gib, or lower retention_days or serving.keep_one_in (docs/operations.md)"
    return [Alert("disk_budget", model, what, "log.budget_gib", fix) for model, what in sorted(over.items())]


def _full(seen: Seen) -> list[Alert]:
    alerts = []
    for disk in seen.disks:
        if disk.free < min(LOW_SHARE * disk.total, LOW_BYTES):
            what = f"the disk of the {disk.role} has {disk.free / MIB:,.0f} MiB left"
        elif disk.inodes and disk.free_inodes < LOW_INODES * disk.inodes:
            what = f"the disk of the {disk.role} has {disk.free_inodes:,} inodes left"
        else:
            continue
        alerts.append(Alert("disk_full", "", what, disk.path, "make room, or give it a larger file system"))
    return alerts
