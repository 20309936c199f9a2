"""The replay with its audience: flights are sent, the world does its part, and what the house makes of it is told.

`run.py` makes one and plays it. After each week of theirs the house is waited for, so that its loops keep up
with a year in minutes; nothing here tells them what to do.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import numpy as np

from gyroscope.assembly import House, UpReport
from gyroscope.clock import SECOND_NS, EventTime, MachineTime, iso, machine_now, sleep
from gyroscope.demo.events import Books
from gyroscope.demo.flights import ZONE, Flights
from gyroscope.demo.outcome import caught_up
from gyroscope.demo.place import MODEL, PLANS, offer
from gyroscope.demo.replay import CROWD_ROWS, Progress, Replayed, Target, crowd, replay
from gyroscope.demo.voice import SHOWN, Bar, Voice
from gyroscope.demo.world import World
from gyroscope.records import NotEnoughData

LOOK_S, CROWD_S = 0.5, 20.0
TELL_S = 2.0
CALM_S = 90
"""How long the pool may take to shrink when nobody asks any more."""


class Champion(msgspec.Struct, frozen=True):
    """A version, and from when on (time of the flights) it answered."""

    version: str
    since: EventTime


class Stage:
    """One replay."""

    def __init__(self, house: House, report: UpReport, world: World, poison: Path, voice: Voice) -> None:
        self._house, self._world, self._poison, self._voice = house, world, poison, voice
        self._books = Books(house)
        self._key = Path(report.api_key_path).read_text(encoding="utf-8").strip()
        self._progress = Progress(total=0)
        self._is_offered = False
        self._crowd: asyncio.Task[int] | None = None
        self.champions: list[Champion] = []

    def play(self, sent: Flights) -> Replayed:
        """Send all of it; what happens meanwhile is told."""
        self._progress = Progress(total=len(sent), at=EventTime(int(sent.departs[0])))
        self._look()
        plans = sent.where(np.arange(len(sent)) < CROWD_ROWS)
        door = self._house.settings.door
        target = Target(door.host, door.port, self._key)

        async def between(at: EventTime) -> None:
            await caught_up(self._house, target)
            self._look()
            self._offer_if_due(at)
            if at >= self._world.crowd_at and self._crowd is None:
                self._crowd = asyncio.create_task(crowd(plans, msgspec.structs.replace(target, model=PLANS), CROWD_S))

        async def both() -> Replayed:
            watching = asyncio.create_task(self._watch())
            try:
                replayed = await replay(sent, self._world.stretches, target, self._progress, between)
                if self._crowd is not None:
                    await self._crowd
                return replayed
            finally:
                watching.cancel()

        return asyncio.run(both())

    def calm_down(self) -> None:
        """Until the pool is as small as it may be: nobody asks any more."""
        least, until = self._house.settings.models[PLANS].bounds.min, machine_now() + CALM_S * SECOND_NS
        while self._house.routes.replicas(PLANS, self._house.settings) > least and machine_now() < until:
            self._look()
            sleep(LOOK_S)
        self._look()

    def _offer_if_due(self, at: EventTime) -> None:
        if at >= self._world.poison_at and not self._is_offered:
            self._is_offered = True
            offer(self._house, self._poison)
            self._look()

    def _look(self) -> None:
        for event in self._books.news():
            self._voice.tell(event, self._progress.at)
        champion = self._house.routes.champion(MODEL)
        if isinstance(champion, NotEnoughData):
            return
        if not self.champions or self.champions[-1].version != champion.version:
            self.champions.append(Champion(champion.version, self._progress.at))

    async def _watch(self) -> None:
        """Tell what happens and how far it is, until cancelled: a bar for people, lines for programs."""
        began = told = machine_now()
        bar = self._voice.live(self._progress.total)
        if bar is None:
            while True:
                await asyncio.sleep(LOOK_S)
                self._look()
                if machine_now() - told >= TELL_S * SECOND_NS:
                    told = machine_now()
                    self._voice.progress(self._progress, self._progress.answered / _seconds(began))
        with bar:
            while True:
                self._look()
                self._show(bar, began)
                await asyncio.sleep(LOOK_S)

    def _show(self, bar: Bar, began: MachineTime) -> None:
        progress = self._progress
        numbers = [
            ("answered", f"{progress.answered:,}"),
            ("requests/s", f"{progress.answered / max(_seconds(began), 0.1):,.0f}"),
            ("labels", f"{progress.labels_sent:,}"),
            ("replicas for plans", str(self._house.routes.replicas(PLANS, self._house.settings))),
        ]
        roles = [f"{route.role} {route.version[:6]}" for route in self._house.routes.routes(MODEL)]
        champion = self._house.routes.champion(MODEL)
        version = "" if isinstance(champion, NotEnoughData) else champion.version
        for metric in SHOWN:
            latest = self._house.signals.latest("performance", {"model": MODEL, "metric": metric, "version": version})
            if not isinstance(latest, NotEnoughData) and not isinstance(latest.value, NotEnoughData):
                numbers.append((metric, f"{latest.value:.3f}"))
        bar.show(progress.answered, iso(progress.at, ZONE)[:10], numbers, roles)


def _seconds(since: MachineTime) -> float:
    return max((machine_now() - since) / SECOND_NS, 0.001)
