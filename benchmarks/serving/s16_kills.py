"""S16: a replica killed with -9 every 5 s under 300 requests a second, bodies of 1, 15, 64 KiB and 1 MiB: none fails.

At default settings. The client sends nothing twice; what a killed replica held is repeated by the house. The control is
a door that is not told to repeat: a `haproxy` found first on PATH takes those lines out of its configuration and then
is the real one. Every other kill waits for a replica that has worked on one body for a while, so that large ones are
hit too.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path

import numpy as np
import orjson

from benchmarks.house import MODEL, NUMBERS, Running, kill, running
from benchmarks.rows import Row, at_most, control, with_control
from benchmarks.serving.paced import NUMBER, Kind, Plan, failed, paced
from benchmarks.serving.wrapped import door_without
from benchmarks.target import Options
from gyroscope.supervisor.pulse import Pulse

KILL_EVERY_S, RATE, KIB = 5.0, 300.0, 1024
# Of 300 requests a second: 200 of 1 KiB, 80 of 15, 14 of 64 and 6 of 1 MiB, together 9 MB/s.
SIZES = ((1 * KIB, 100), (15 * KIB, 40), (64 * KIB, 7), (KIB * KIB, 3))
LARGE_NS = 4_000_000
REPEATS_NOTHING = "/retries 3/d; /retry-on/d; /option redispatch/d"


def measure(options: Options) -> list[Row]:
    """The row and its control."""
    seconds = 60.0 if options.is_quick else 600.0
    with running(options.folder / "house", replicas=3) as house:
        seen, kills = _under_kills(house, options.folder, seconds, options.seed)
    _tell("S16", seen, kills)
    with (
        door_without(REPEATS_NOTHING, options.folder),
        running(options.folder / "control", replicas=3) as house,
    ):
        lost, control_kills = _under_kills(house, options.folder, 10.0, options.seed)
    _tell("S16 control", lost, control_kills)
    claim = f"requests failed of {len(seen):,} with {kills} replicas killed -9, bodies of 1 KiB to 1 MiB"
    check = control("S16", "a door that repeats nothing", failed(lost), "requests", len(lost))
    return with_control([at_most("S16", claim, failed(seen), 0, "requests", len(seen))], check)


def _under_kills(house: Running, folder: Path, seconds: float, seed: int) -> tuple[np.ndarray, int]:
    drawn = random.Random(seed)
    kills = 0

    def strike() -> None:
        nonlocal kills
        time.sleep(KILL_EVERY_S)
        pid = drawn.choice(house.pids("replica"))
        kill(_busy(house) or pid if kills % 2 else pid)
        kills += 1

    headers = {"Authorization": f"Bearer {house.key}", "Content-Type": "application/json"}
    kinds = [Kind(share, [_body(size)], b"predictions") for size, share in SIZES]
    plan = Plan(house.port, f"/models/{MODEL}/invocations", headers, kinds, RATE, seconds)
    return paced(plan, folder, strike), kills


def _busy(house: Running) -> int:
    """The process that has worked on one body longer than small ones take; 0 when none does within two seconds."""
    give_up = time.monotonic() + 2
    pulses = [Pulse.open(path) for path in house.house.pulse("x").parent.glob("*.pulse")]
    while time.monotonic() < give_up:
        now_ns = time.monotonic_ns()
        for pulse in pulses:
            if pulse.started_ns and now_ns - pulse.started_ns > LARGE_NS:
                return pulse.pid
    return 0


def _body(size: int) -> bytes:
    """Rows enough to fill it, then spaces to the byte."""
    row = [int(NUMBER), "a", *(0.125,) * len(NUMBERS)]
    columns = ["number", "kind", *NUMBERS]
    empty = len(orjson.dumps({"dataframe_split": {"columns": columns, "data": []}}))
    rows = (size - empty) // (len(orjson.dumps(row)) + 1)
    body = orjson.dumps({"dataframe_split": {"columns": columns, "data": [row] * rows}})
    return body + b" " * (size - len(body))


def _tell(what: str, seen: np.ndarray, kills: int) -> None:
    by_size = ", ".join(
        f"{size // KIB} KiB {failed(seen[seen['kind'] == at])} of {(seen['kind'] == at).sum():,}"
        for at, (size, _) in enumerate(SIZES)
    )
    statuses = Counter(seen["status"][seen["status"] != 200].tolist())
    print(f"{what}: {kills} kills; failed: {by_size}; statuses {dict(statuses)} (0: no answer)", flush=True)
