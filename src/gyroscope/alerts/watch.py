"""Watches every series that a rule is about, and hands what fires to the incidents, by the door that monitors use.

Control runs `run_once` in its loop. Each point is taken once, when its window is complete; how far each rule is, is
kept, so that a control that was killed goes on where it was.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from gyroscope.alerts.rules import Followed, causes, follow, told
from gyroscope.alerts.store import Incidents
from gyroscope.clock import HOUR_US, SECOND_US, EventTime
from gyroscope.database import Database, transaction
from gyroscope.records import Cause, CauseKind, Judged, NotEnoughData, Signal
from gyroscope.settings_alerts import RuleSettings
from gyroscope.signals.store import MACHINE_TIME_NAMES, Labels, Signals

_SCHEMA = """
CREATE TABLE IF NOT EXISTS followed (
    rule TEXT NOT NULL, series TEXT NOT NULL, about TEXT NOT NULL, record TEXT NOT NULL, PRIMARY KEY (rule, series)
) WITHOUT ROWID;
"""

SOURCE = "rules"

NEAR_WINDOWS, SOON_WINDOWS = 3, 14
"""A change is dated to within a window or two. A number at its threshold is hardly ever on one side for fourteen,
so what fires again within fourteen windows, or within an hour of a series of seconds, is the same incident."""

SILENT_US = 60 * SECOND_US
EVERY_SECOND = MACHINE_TIME_NAMES - {"alert"}
"""Series with a point a second while all is well: after a minute without one, nothing is known."""

Complete = Callable[[str, str, EventTime], EventTime]
"""From model, version and wall time to the start of the newest window whose rows are there."""

Key = tuple[str, Labels]


class Rules:
    """All rules of one home, run by one process. `window_us` is the length of a window of the data."""

    def __init__(
        self,
        rules: Mapping[str, RuleSettings],
        state_db: Path,
        signals: Signals,
        incidents: Incidents,
        complete: Complete,
        window_us: int,
    ) -> None:
        self._rules = rules
        self._signals = signals
        self._incidents = incidents
        self._complete = complete
        self._window_us = window_us
        self._database = Database(
            state_db, "what rules follow cannot be read or written", "check free space and permissions", _SCHEMA
        )
        self._followed: dict[Key, Followed] | None = None
        self._gone: dict[Key, Followed] = {}
        self._said: dict[str, list[Cause]] = {}
        self._running = threading.Lock()

    def run_once(self, now: EventTime) -> int:
        """Take in every point that is new and complete at a moment of wall time; how many there were."""
        with self._running:
            return self._look(now)

    def _look(self, now: EventTime) -> int:
        before = self._load()
        after, taken = dict(before), 0
        for name, rule in self._rules.items():
            for newest in self._signals.newest(rule.signal, rule.labels):
                key = (name, newest.labels)
                points = self._points(rule, newest, before.get(key, Followed()), now)
                for point in points:
                    after[key] = follow(rule, after.get(key, Followed()), point, self._soon_us(rule))
                taken += len(points)
        self._hand_over(after, now)
        changed = {key: one for key, one in after.items() if _but_newest(one) != _but_newest(before.get(key))}
        over = {key: one for key, one in self._gone.items() if key not in after}
        points = [told(name, dict(series), one) for (name, series), one in (changed | over).items()]
        if points:
            self._signals.put(points)
        self._keep(changed)
        self._forget(over)
        self._followed, self._gone = after, {}
        return taken

    def _points(self, rule: RuleSettings, newest: Signal, before: Followed, now: EventTime) -> list[Signal]:
        """The points of one series that are to be taken now, oldest first."""
        is_machine = rule.signal in MACHINE_TIME_NAMES
        first = max(before.newest + 1, newest.at - HOUR_US if is_machine else 0)
        last = newest.at if is_machine else min(newest.at, self._newest_complete(newest, now))
        found: list[Signal] = []
        if first <= last:
            stretch = EventTime(first), EventTime(last + 1)
            found = [one for one in self._signals.query(rule.signal, dict(newest.labels), *stretch)
                     if one.labels == newest.labels]  # fmt: skip
            if rule.signal == "performance":
                mature = self._mature(newest, *stretch)
                found = [one for one in found if one.at in mature]
        if rule.signal in EVERY_SECOND and now - newest.at > SILENT_US and before.newest <= newest.at:
            silent = NotEnoughData("nothing for a minute")
            found.append(Signal(rule.signal, EventTime(newest.at + SILENT_US), silent, newest.labels))
        if rule.signal == "alert" and now > max(newest.at, before.newest):  # a point says what stands until the next
            found.append(msgspec.structs.replace(newest, at=now))
        return found

    def _newest_complete(self, newest: Signal, now: EventTime) -> EventTime:
        labels = dict(newest.labels)
        if "model" not in labels or "version" not in labels:
            return newest.at  # not about windows
        return self._complete(labels["model"], labels["version"], now)

    def _mature(self, newest: Signal, start: EventTime, end: EventTime) -> set[EventTime]:
        """The windows whose labels are there."""
        of = {key: value for key, value in newest.labels if key in ("model", "version")}
        return {one.at for one in self._signals.query("labels_mature", of, start, end) if one.value == 1.0}

    def _hand_over(self, after: Mapping[Key, Followed], now: EventTime) -> None:
        """Give the incidents all that fires or fired, of each model of which that has changed."""
        found: dict[str, list[Cause]] = {model: [] for model in self._said}
        upto: dict[str, dict[tuple[str, CauseKind], EventTime]] = {}
        for (name, series), one in (*self._gone.items(), *after.items()):
            labels = dict(series)
            model, version = labels.get("model") or "house", labels.get("version", "")
            known = upto.setdefault(model, {})
            known[version, "rule"] = max(known.get((version, "rule"), one.newest), one.newest)
            rule = self._rules.get(name)
            mine = causes(name, rule, labels, one, self._soon_us(rule)) if rule else []
            found.setdefault(model, []).extend(mine)
        for model, all_of_it in found.items():
            if self._said.get(model) != all_of_it:
                judged = Judged(tuple(all_of_it), upto.get(model, {}), NEAR_WINDOWS * self._window_us, now)
                self._incidents.take(model, judged, SOURCE)
                self._said[model] = all_of_it

    def _load(self) -> dict[Key, Followed]:
        """How far each rule is. One that was changed begins anew; what is watched no more closes its incidents."""
        if self._followed is None:
            with self._database.opened() as connection:
                rows = connection.execute("SELECT rule, series, about, record FROM followed").fetchall()
            followed: dict[Key, Followed] = {}
            for name, series, about, record in rows:
                key = (name, msgspec.json.decode(series, type=Labels))
                one = msgspec.json.decode(record, type=Followed)
                if about == self._about(name):
                    followed[key] = one
                else:
                    self._gone[key] = Followed("quiet", True, EventTime(one.newest + 1))
            self._followed = followed
        return self._followed

    def _keep(self, changed: Mapping[Key, Followed]) -> None:
        rows = [
            (name, msgspec.json.encode(series).decode(), self._about(name), msgspec.json.encode(one).decode())
            for (name, series), one in changed.items()
        ]
        if rows:
            with self._database.opened() as connection, transaction(connection):
                connection.executemany("INSERT OR REPLACE INTO followed VALUES (?, ?, ?, ?)", rows)

    def _forget(self, over: Mapping[Key, Followed]) -> None:
        rows = [(name, msgspec.json.encode(series).decode()) for name, series in over]
        if rows:
            with self._database.opened() as connection, transaction(connection):
                connection.executemany("DELETE FROM followed WHERE rule = ? AND series = ?", rows)

    def _soon_us(self, rule: RuleSettings) -> int:
        return HOUR_US if rule.signal in MACHINE_TIME_NAMES else SOON_WINDOWS * self._window_us

    def _about(self, name: str) -> str:
        return msgspec.json.encode(self._rules.get(name)).decode()


def _but_newest(one: Followed | None) -> Followed | None:
    """What has to be kept: points that changed nothing are taken again after a restart, and change nothing."""
    return one and msgspec.structs.replace(one, newest=EventTime(0))
