"""The story of `gyro demo`: train, start, replay, let the house act, and say at the end what that was worth.

The command line calls `run_demo`. Whatever happens, unless `keep` was asked for, nothing is left running.
"""

from __future__ import annotations

import os
import signal
from calendar import month_name
from pathlib import Path
from types import FrameType

import msgspec
import numpy as np

from gyroscope.assembly import House, up
from gyroscope.clock import SECOND_NS, EventTime, MachineTime, iso, machine_now, wall_now
from gyroscope.demo.closing import Way, compare
from gyroscope.demo.flights import Flights, load_flights
from gyroscope.demo.outcome import Settled, books, cells, coverage, months, plain
from gyroscope.demo.place import FOLDER, MODEL, Place, register, register_plans
from gyroscope.demo.replay import Replayed
from gyroscope.demo.stage import Stage
from gyroscope.demo.story import write_report
from gyroscope.demo.train import poisoned, train
from gyroscope.demo.voice import METRICS, Voice
from gyroscope.demo.world import broken, draw
from gyroscope.errors import GyroscopeError, InputError, ProcessError
from gyroscope.monitoring.months import Month

LAST_DAY = "2013-12-29"
"""The weather of the package ends on the day after."""


class DemoOptions(msgspec.Struct, frozen=True):
    """What the command line can choose. `days` shortens the replay: 0 sends every flight from `start` to December."""

    keep: bool = False
    json: bool = False
    report: Path = Path("gyroscope-demo.html")
    port: int = 8080
    folder: Path = Path(FOLDER)
    days: int = 0
    seed: int = 0
    start: int = 3
    has_fault: bool = True
    is_equal: bool = False


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


def month_of(name: str) -> int:
    """The month that a replay may start with, by its name or number. Raises `InputError` for another."""
    wanted = name.strip().lower()
    for month in range(2, 12):
        if wanted in (month_name[month].lower(), month_name[month][:3].lower(), str(month)):
            return month
    raise InputError(f"the replay cannot start with {name!r}", where="--start", fix="a month from February to November")


def _leave(place: Place) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave half of it behind
    place.clear()


def _as_interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _story(options: DemoOptions, place: Place, voice: Voice) -> bool:
    began = machine_now()
    flights = load_flights()
    voice.say("loaded", EventTime(int(flights.departs[0])), f"{len(flights):,} flights of 2013 out of New York")
    place.make(options.port, "equal" if options.is_equal else "challenger")
    house = House(place.settings)
    trained = train(flights, range(1, options.start), place.folder)
    brier = float(np.mean((trained.held_out - trained.flights.late) ** 2))
    version = register(house, place, trained)
    register_plans(house, trained)
    chosen = _chosen(flights, options)
    world = draw(chosen, options.seed, has_fault=options.has_fault)
    poison = poisoned(place.folder, world.poison, options.seed)
    first = EventTime(int(chosen.departs[0]))
    before = "January" if options.start == 2 else f"January to {month_name[options.start - 1]}"
    voice.say(
        "version_registered",
        first,
        f"{MODEL} {version.version}: trained on {before}, Brier score {brier:.3f} on held-out days",
        version=version.version,
        evidence={"brier": brier},
        seconds=_seconds(began),
    )
    report = up(place.settings)
    voice.say("up", first, f"it answers at {report.address}; watch its page: {report.link}", address=report.address)
    sent = broken(chosen, world.fault)
    stage = Stage(house, report, world, poison, voice)
    replayed = stage.play(sent)
    _check_answered(replayed)
    settled = books(house)
    by_month = months(sent, replayed.output, version.signature)
    _tell_months(voice, by_month, replayed.progress.at)
    ways = compare(sent, replayed.output, version.signature, place.folder, len(house.trainings.every(MODEL)))
    _tell_ways(voice, ways, replayed.progress.at)
    stage.calm_down()
    write_report(options.report, house, stage.champions, by_month, ways)
    return _done(voice, options, replayed, settled, began)


def _chosen(flights: Flights, options: DemoOptions) -> Flights:
    later = (flights.month >= options.start) & (flights.day <= LAST_DAY)
    if options.days:
        later &= np.isin(flights.day, np.unique(flights.day[later].astype(str))[: options.days])
    return flights.where(later)


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
    voice.table("New York flights, 2013: were the answers right?", header, rows)
    for one in by_month:
        voice.say_json("month", at, f"{one.month}: {one.predictions:,} flights", **plain(one, METRICS))


def _tell_ways(voice: Voice, ways: list[Way], at: EventTime) -> None:
    header = (
        "Brier score",
        "trainings",
        "whole",
        *(month_name[month][:3] for month in ways[0].by_month),
    )
    rows = [
        (way.name, str(way.trainings), f"{way.brier:.4f}", *(f"{value:.3f}" for value in way.by_month.values()))
        for way in ways
    ]
    voice.table("What the loop was worth: the same flights, lived through in four ways", header, rows)
    for way in ways:
        voice.say_json(
            "way", at, f"{way.name}: {way.brier:.4f}", name=way.name, brier=way.brier, trainings=way.trainings,
            by_month={str(month): value for month, value in way.by_month.items()},
        )  # fmt: skip


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
        + f"; {seconds:.0f} s. Report: {where}",
        sent=progress.sent,
        answered=progress.answered,
        labels=settled.labels,
        balanced=balanced,
        report=str(where),
        seconds=round(seconds, 1),
        pid=os.getpid(),
        finished=iso(wall_now()),
    )
    voice.farewell(options.folder, is_kept=options.keep)
    return balanced


def _seconds(since: MachineTime) -> float:
    return (machine_now() - since) / SECOND_NS
