"""O7: what a shadow costs the champion's clients: none, one ten times slower, one that is dead; in turns.

Each round measures all three one after the other, in another order; the figure is the median over the rounds of the
p99 with a shadow over that without. The champion takes 3 ms. The dead shadow is stopped with SIGSTOP and killed at
once again whenever it is back.
"""

from __future__ import annotations

import contextlib
import random
import signal
import statistics
import time
from collections.abc import Callable

import numpy as np

from benchmarks.house import MODEL, SIGNATURE, Running, kill, running, wait_for
from benchmarks.ledger import p99_ms, read
from benchmarks.load import load
from benchmarks.loop.challengers import CHAMPION, add
from benchmarks.rows import Row, at_least, at_most
from benchmarks.target import Options
from gyroscope.assembly.rolling import move
from gyroscope.models import Candidate, read_signature
from gyroscope.rollouts.moves import back, to_shadow
from gyroscope.supervisor import client
from gyroscope.web.metrics import read_pulses

RATE, MORE = 100.0, 1.05


def measure(options: Options) -> list[Row]:
    """The rows, and that copies were really sent."""
    rounds, seconds = (3, 6.0) if options.is_quick else (15, 20.0)
    (options.folder / "signature.yaml").write_text(SIGNATURE, encoding="utf-8")
    (options.folder / "champion.py").write_text(CHAMPION, encoding="utf-8")
    signature = read_signature(options.folder / "signature.yaml")
    champion = Candidate(MODEL, "python", signature, options.folder / "champion.py", entry="champion:Model")
    found: dict[str, list[float]] = {"none": [], "slow": [], "dead": []}
    drawn, failed, asked = random.Random(options.seed), 0, 0
    with running(options.folder / "house", candidate=champion, loops={"rollback": "off"}) as house:
        (house.folder / "signature.yaml").write_text(SIGNATURE, encoding="utf-8")
        slow = add(house, "10x latency", options.folder / "slow" / "calls").version
        for number in range(rounds):
            for kind in drawn.sample(sorted(found), 3):
                book = _round(house, kind, slow, options, f"{kind}-{number}", seconds)
                found[kind].append(p99_ms(book))
                failed, asked = failed + int((book["status"] != 200).sum()), asked + len(book)
        copied = sum(
            one.counters["copied"] + one.counters["copies_lost"] for one in read_pulses(house.house.runtime / "pulses")
        )
    print({kind: [round(one, 2) for one in each] for kind, each in found.items()})
    ratios = {
        kind: statistics.median(a / b for a, b in zip(found[kind], found["none"], strict=True))
        for kind in ("slow", "dead")
    }
    return [
        at_most("O7", "p99 beside a shadow 10 times slower, over that without", ratios["slow"], MORE, "x", rounds),
        at_most("O7", "p99 beside a dead shadow, over that without", ratios["dead"], MORE, "x", rounds),
        at_most("O7", f"requests failed of {asked:,}", failed, 0, "requests", asked),
        at_least("O7", "copies sent or dropped", copied, asked / 2, "copies", asked),
    ]


def _round(house: Running, kind: str, version: str, options: Options, name: str, seconds: float) -> np.ndarray:
    ledger = options.folder / f"{name}.ledger"
    if kind != "none":
        move(house.house, MODEL, lambda routes: to_shadow(routes, version), "benchmark")
        wait_for(lambda: _shadows(house), 30.0)
        time.sleep(0.3)
    act: Callable[[], None] = (lambda: _end(house)) if kind == "dead" else (lambda: None)
    with load(house, ledger, RATE, workers=16):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            act()
            time.sleep(0.2)
    if kind != "none":
        move(house.house, MODEL, back, "benchmark")
        wait_for(lambda: not _shadows(house), 30.0)
    book = read(ledger)
    return book[len(book) // 5 :]


def _shadows(house: Running) -> list[int]:
    seen = client.status(house.house.run_dir)["processes"]
    return [one["pid"] for one in seen if one["name"].endswith("-shadow") and one["state"] == "ready"]


def _end(house: Running) -> None:
    for pid in _shadows(house):
        with contextlib.suppress(OSError):
            kill(pid, signal.SIGSTOP)
            kill(pid)
