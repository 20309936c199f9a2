"""L9: a home with ten million predictions of thirty days: how long until it answers, a day by SQL, a day's labels.

The predictions come through log and recorder as ever, one row each; monitors have folded them before anything is
timed. Nothing is kept between runs.
"""

from __future__ import annotations

import http.client
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from rich.progress import track

import gyroscope
from benchmarks.house import GYRO, MODEL, NUMBERS, Running, hooked
from benchmarks.load import body
from benchmarks.rows import Row, at_most
from benchmarks.target import Options
from gyroscope.clock import EventTime, iso, wall_now
from gyroscope.predictions.recording.recorder import Recorder
from gyroscope.predictions.segments.log import LogPolicy, PredictionLog, segment_folder
from gyroscope.predictions.segments.wal import LogEntry
from gyroscope.records import Label

DAYS, DAY_US = 30, 86_400_000_000
QUERY = "SELECT count(*), avg(output_0), quantile_cont(feature_x00, 0.5) FROM predictions"
STARTS, QUERIES = 3, 5


def measure(options: Options) -> list[Row]:
    """Three times."""
    n = 1_000_000 if options.is_quick else 10_000_000
    start = wall_now() // DAY_US * DAY_US - (DAYS + 1) * DAY_US
    house = Running(options.folder / "place", {})
    try:
        house.up()
        house.down()
        began = time.monotonic()
        _fill(options.folder / "place", n, start, options.seed)
        filled = time.monotonic()
        _in_own_process("fold", options.folder / "place")
        print(f"L9: {n:,} rows recorded in {filled - began:.0f} s, folded in {time.monotonic() - filled:.0f} s")
        starts = [first_answer_s(house, turn) for turn in range(STARTS)]
        queries = [day_s(house, start + turn * DAY_US, n // DAYS) for turn in range(2, 2 + QUERIES)]
        joined, join_s = join_day(house, n, start, options.seed)
    finally:
        house.clear()
    print(f"L9 s: starts {starts}, queries {queries}, {joined:,} labels in {join_s:.2f}")
    return [
        at_most("L9", "gyro up to the first answer, median", statistics.median(starts), 2.0, "s", n),
        at_most("L9", f"a day's window by SQL, median: {QUERY}", statistics.median(queries) * 1e3, 300, "ms", n),
        at_most("L9", f"joining a day's {joined:,} labels", join_s, 5.0, "s", n),
    ]


def first_answer_s(house: Running, turn: int) -> float:
    """From the start of `gyro up` until a prediction is answered; the house is stopped again."""
    argv = [GYRO, "up", "--settings", str(house.settings_path)]
    with hooked({}):
        began = time.monotonic()
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as starting:
            while not _answers(house, turn):
                if time.monotonic() - began > 120:
                    raise TimeoutError("no answer in two minutes")
                time.sleep(0.005)
            took = time.monotonic() - began
            if starting.wait(120):
                raise RuntimeError("gyro up failed")
    house.down()
    return took


def day_s(house: Running, first: int, least: int) -> float:
    """One day's window by SQL, through the library, in this process."""
    first_day, next_day = iso(EventTime(first)), iso(EventTime(first + DAY_US))
    began = time.monotonic()
    window = gyroscope.predictions(MODEL, house.settings_path).window(first_day, next_day)
    found = window.sql(QUERY).arrow()
    took = time.monotonic() - began
    rows = found.column(0).to_pylist()[0]
    if rows < least:
        raise RuntimeError(f"{rows} rows of {least} in the day of {first_day}")
    return took


def join_day(house: Running, n: int, start: int, seed: int) -> tuple[int, float]:
    """(labels, seconds until all of them are joined) of one whole day, in a random order."""
    numbers = np.arange(4 * n // DAYS, 5 * n // DAYS)
    np.random.default_rng(seed).shuffle(numbers)
    labels = [
        Label(request_id=_id(number), value=2.0 * number, labeled_at=EventTime(start + 6 * DAY_US))
        for number in numbers.tolist()
    ]
    store = house.house.labels
    began = time.monotonic()
    for at in range(0, len(labels), 20_000):
        store.add(MODEL, labels[at : at + 20_000], wall_now())
    store.settle(MODEL, wall_now())
    took = time.monotonic() - began
    counts = store.counts(MODEL)
    if counts["joined"] != len(labels):
        raise RuntimeError(f"{counts} of {len(labels)} labels")
    return len(labels), took


def _answers(house: Running, turn: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", house.port, timeout=2)
    headers = {"Authorization": f"Bearer {house.key}", "Content-Type": "application/json"}
    try:
        connection.request("POST", f"/models/{MODEL}/invocations", body(turn), headers)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _fill(folder: Path, n: int, start: int, seed: int) -> None:
    """In pieces, so that memory holds a piece at a time; each process is new, as after a restart."""
    piece = 500_000
    for first in track(range(0, n, piece), "L9 recording", transient=True):
        _in_own_process("fill", folder, first, min(n, first + piece), n, start, seed)


def _in_own_process(step: str, folder: Path, *numbers: int) -> None:
    argv = [sys.executable, "-m", "benchmarks.log.l09_large", step, str(folder), *map(str, numbers)]
    subprocess.run(argv, check=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})


def _record(house: Running, first: int, last: int, n: int, start: int, seed: int) -> None:
    rng = np.random.default_rng((seed, first))
    replica = f"{MODEL}-{house.version.version}-9"
    log = PredictionLog(
        segment_folder(house.house.runtime, MODEL), replica, house.version, LogPolicy(cap_bytes=1 << 40)
    )
    matrix = np.empty((last - first, 2 + len(NUMBERS)))
    matrix[:, 0] = np.arange(first, last)
    matrix[:, 1] = np.arange(first, last) % 3
    matrix[:, 2:] = rng.normal(size=(last - first, len(NUMBERS))).round(3)
    outputs = 2.0 * matrix[:, :1]
    step = DAYS * DAY_US / n
    for at in range(last - first):
        moment = start + round((first + at) * step)
        log.append(LogEntry(_id(first + at), moment, moment, 400_000, 200, matrix[at : at + 1], outputs[at : at + 1]))
    log.close()
    recorder = Recorder(house.house.home, house.house.runtime, house.house.models.get, house.house.zone_of)
    rows = recorder.drain()
    recorder.close()
    if rows != last - first:
        raise RuntimeError(f"{rows} of {last - first} rows were recorded: {recorder.failures}")


def _fold(house: Running) -> None:
    monitor = house.house.monitor
    done = monitor.run_once(wall_now(), final=True)
    if done.failures:
        raise RuntimeError(str(done.failures))


def _id(number: int) -> str:
    """Ids in no order, as random ones are."""
    return f"{(number * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF:016x}-{number:08d}"


def _main(step: str, folder: str, *numbers: str) -> None:
    house = Running(Path(folder), {})
    if step == "fold":
        _fold(house)
    else:
        _record(house, *map(int, numbers))


if __name__ == "__main__":
    _main(*sys.argv[1:])
