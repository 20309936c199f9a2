"""The story of `gyro demo`: train, register, start, replay, wait until everything is measured, report, stop.

The command line calls `run_demo`. Whatever happens, unless `keep` was asked for, nothing is left running.
"""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from types import FrameType

import msgspec
import numpy as np

from gyroscope.assembly import House, UpReport, up
from gyroscope.clock import SECOND_NS, EventTime, MachineTime, iso, machine_now, wall_now
from gyroscope.demo.flights import ZONE, Flights, load_flights
from gyroscope.demo.outcome import Settled, cells, coverage, plain, settle
from gyroscope.demo.place import FOLDER, MODEL, Place, register
from gyroscope.demo.replay import Progress, Replayed, Target, replay
from gyroscope.demo.story import write_report
from gyroscope.demo.train import TRAINING_MONTHS, train
from gyroscope.demo.voice import METRICS, Bar, Voice
from gyroscope.errors import GyroscopeError, ProcessError
from gyroscope.monitoring.months import Month
from gyroscope.records import NotEnoughData

REFRESH_S = 0.5
TELL_S = 2.0


class DemoOptions(msgspec.Struct, frozen=True):
    """What the command line can choose. `days` shortens the replay: 0 sends every flight of March to December."""

    keep: bool = False
    json: bool = False
    report: Path = Path("gyroscope-demo.html")
    port: int = 8080
    folder: Path = Path(FOLDER)
    days: int = 0


def run_demo(options: DemoOptions) -> int:
    """Run the demo; 0 when every flight was answered and the labels balance, 1 when not.

    Ctrl-C and SIGTERM stop everything that was started and take the demo's folder away.
    """
    signal.signal(signal.SIGTERM, _as_interrupt)
    place = Place(options.folder.resolve())
    try:
        all_fine = _story(options, place, Voice(as_json=options.json))
    except GyroscopeError:
        place.stop()  # what went wrong is in its logs: they stay
        raise
    except BaseException:
        _leave(place)
        raise
    if not options.keep:
        _leave(place)
    return 0 if all_fine else 1


def _leave(place: Place) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave half of it behind
    place.clear()


def _as_interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _story(options: DemoOptions, place: Place, voice: Voice) -> bool:
    began = machine_now()
    flights = load_flights()
    start = EventTime(int(flights.departs[0]))
    voice.say("loaded", start, f"{len(flights):,} flights of 2013 out of New York", flights=len(flights))
    place.make(options.port)
    house = House(place.settings)
    trained = train(flights, place.folder)
    brier = float(np.mean((trained.held_out - trained.flights.late) ** 2))
    version = register(house, trained)
    sent = _chosen(flights, options.days)
    first = EventTime(int(sent.departs[0]))
    voice.say(
        "registered",
        first,
        f"{MODEL} {version.version}: trained on January and February, Brier score {brier:.3f} on held-out days",
        version=version.version,
        reference_brier=brier,
        seconds=_seconds(began),
    )
    report = up(place.settings)
    voice.say("up", first, f"two replicas behind {report.address}; the page: {report.link}", address=report.address)
    replayed = _replay(house, sent, report, voice, options)
    _check_answered(replayed)
    labels = int(np.count_nonzero(sent.late >= 0))
    settled = settle(house, version, sent=len(sent), labels=labels)
    by_month = house.monitor.months(MODEL, version.version)
    _tell_months(voice, by_month, replayed.progress.at)
    write_report(options.report, house, version, by_month)
    return _done(voice, options, replayed, settled, began)


def _chosen(flights: Flights, days: int) -> Flights:
    later = ~np.isin(flights.month, TRAINING_MONTHS)
    if days:
        later &= np.isin(flights.day, np.unique(flights.day[later].astype(str))[:days])
    return flights.where(later)


def _replay(house: House, sent: Flights, report: UpReport, voice: Voice, options: DemoOptions) -> Replayed:
    key = Path(report.api_key_path).read_text(encoding="utf-8").strip()
    door = house.settings.door
    progress = Progress(total=len(sent), at=EventTime(int(sent.departs[0])))

    async def both() -> Replayed:
        watching = asyncio.create_task(_watch(house, progress, voice))
        try:
            return await replay(sent, Target(door.host, door.port, key), progress)
        finally:
            watching.cancel()

    return asyncio.run(both())


async def _watch(house: House, progress: Progress, voice: Voice) -> None:
    """Tell how far it is, until cancelled: a live bar for people, a line every few seconds for programs."""
    began = machine_now()
    bar = voice.live(progress.total)
    if bar is None:
        while True:
            await asyncio.sleep(TELL_S)
            rate = progress.answered / _seconds(began)
            voice.say(
                "progress", progress.at, f"{progress.answered:,} of {progress.total:,} answered", per_s=round(rate)
            )
    with bar:
        while True:
            _show(bar, house, progress, began)
            await asyncio.sleep(REFRESH_S)


def _show(bar: Bar, house: House, progress: Progress, began: MachineTime) -> None:
    numbers = [
        ("answered", f"{progress.answered:,}"),
        ("requests/s", f"{progress.answered / max(_seconds(began), 0.1):,.0f}"),
        ("labels", f"{progress.labels_sent:,}"),
    ]
    for metric in METRICS:
        latest = house.signals.latest("performance", {"model": MODEL, "metric": metric})
        if not isinstance(latest, NotEnoughData) and not isinstance(latest.value, NotEnoughData):
            numbers.append((metric, f"{latest.value:.3f}"))
    bar.show(progress.answered, iso(progress.at, ZONE)[:10], numbers)


def _check_answered(replayed: Replayed) -> None:
    """Before anything waits for what can never be measured."""
    progress = replayed.progress
    if progress.answered != progress.sent:
        raise ProcessError(
            f"{progress.sent - progress.answered} of {progress.sent} flights were not answered",
            where="; ".join(replayed.failures[:3]),
            fix="look into the logs in home/logs of the demo's folder",
        )


def _tell_months(voice: Voice, by_month: list[Month], at: EventTime) -> None:
    header = ("month", "flights", "labelled", *METRICS)
    rows = [(one.month, f"{one.predictions:,}", coverage(one), *cells(one, METRICS)) for one in by_month]
    voice.table("New York flights, 2013: was the model right?", header, rows)
    for one in by_month:
        voice.say_json("month", at, f"{one.month}: {one.predictions:,} flights", **plain(one, METRICS))


def _done(voice: Voice, options: DemoOptions, replayed: Replayed, settled: Settled, began: MachineTime) -> bool:
    progress = replayed.progress
    balanced = settled.received == progress.labels_sent
    if settled.answered_rows != progress.answered:
        raise ProcessError(
            f"{progress.answered} flights were answered, {settled.answered_rows} answered rows are in the table",
            fix="look into the logs in home/logs of the demo's folder",
        )
    seconds = _seconds(began)
    where = options.report.resolve()
    voice.say(
        "done",
        progress.at,
        f"{progress.sent:,} sent, {progress.answered:,} answered, labels "
        + ", ".join(f"{count:,} {state}" for state, count in settled.labels.items() if count)
        + f"; {seconds:.0f} s. Report: {where}"
        + ("; still running, stop it with 'gyro down' in " + str(options.folder) if options.keep else ""),
        sent=progress.sent,
        answered=progress.answered,
        labels=settled.labels,
        balanced=balanced,
        report=str(where),
        seconds=round(seconds, 1),
        pid=os.getpid(),
        finished=iso(wall_now()),
    )
    return balanced


def _seconds(since: MachineTime) -> float:
    return (machine_now() - since) / SECOND_NS
