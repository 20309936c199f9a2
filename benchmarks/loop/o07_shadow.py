"""O7: what a shadow costs the champion's clients: none, one ten times slower, one that is dead; in turns.

The champion waits 3 ms. One slow shadow waits 30 ms a copy; the dead one is stopped with SIGSTOP and killed at once
again whenever it is back. Many short rounds, each of all kinds in another order: what else the machine does meets all
of them. The figure is the p99 of a kind's requests, those of every round together, over that without a shadow; beside
it stands the median of the rounds' own quotients, which one bad moment of the machine does not move. Rounds with the
dead shadow are long enough to meet its start. A line and no claim is made of one that works 30 ms a copy, where the
champion works none: it keeps a processor busy, and what that costs the others depends on how many they have.
"""

from __future__ import annotations

import contextlib
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

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

RATE, MORE, LEAVE_OUT_S = 100.0, 1.05, 0.5
DEAD_S = 14.0
"""A shadow that died is started again after ten seconds."""
SLOW = {"waiting": "10x latency", "working": "10x work", "dead": "10x latency"}
"""What the shadow of each kind of round is."""
CLAIMED = ("waiting", "dead")


def measure(options: Options) -> list[Row]:
    """The rows, and that copies were really sent."""
    rounds, seconds = (6, 4.0) if options.is_quick else (40, 6.0)
    (options.folder / "signature.yaml").write_text(SIGNATURE, encoding="utf-8")
    (options.folder / "champion.py").write_text(CHAMPION, encoding="utf-8")
    signature = read_signature(options.folder / "signature.yaml")
    champion = Candidate(MODEL, "python", signature, options.folder / "champion.py", entry="champion:Model")
    books: dict[str, list[np.ndarray]] = {"none": [], **{kind: [] for kind in SLOW}}
    drawn, died = random.Random(options.seed), set[int]()
    with running(options.folder / "house", candidate=champion, loops={"rollback": "off"}) as house:
        (house.folder / "signature.yaml").write_text(SIGNATURE, encoding="utf-8")
        slow = {name: add(house, name, options.folder / name / "calls").version for name in set(SLOW.values())}
        for number in range(rounds):
            for kind in drawn.sample(sorted(books), len(books)):
                version = slow[SLOW[kind]] if kind in SLOW else ""
                ledger = options.folder / f"{kind}-{number}.ledger"
                act = (lambda: _end(house, died)) if kind == "dead" else (lambda: None)
                books[kind].append(_round(house, version, ledger, DEAD_S if kind == "dead" else seconds, act))
        copied = sum(
            one.counters["copied"] + one.counters["copies_lost"] for one in read_pulses(house.house.runtime / "pulses")
        )
    every = {kind: np.concatenate(each) for kind, each in books.items()}
    for kind, book in every.items():
        half, most = np.quantile(book["took_ns"] / 1e6, (0.5, 0.9))
        rounds_ms = ", ".join(f"{p99_ms(each):.1f}" for each in books[kind])
        print(f"{kind}: median {half:.2f} ms, 90 % {most:.2f} ms, p99 {p99_ms(book):.2f} ms, of each round {rounds_ms}")
    over = {kind: p99_ms(every[kind]) / p99_ms(every["none"]) for kind in SLOW}
    pairs = {kind: [p99_ms(a) / p99_ms(b) for a, b in zip(books[kind], books["none"], strict=True)] for kind in SLOW}
    beside = {kind: f"over that without (median of rounds {np.median(pairs[kind]):.2f})" for kind in SLOW}
    print(f"p99, shadow working, {beside['working']}: {over['working']:.2f} x")
    asked = sum(len(book) for book in every.values())
    failed = sum(int((book["status"] != 200).sum()) for book in every.values())
    return [
        *(at_most("O7", f"p99, shadow {kind}, {beside[kind]}", over[kind], MORE, "x", rounds) for kind in CLAIMED),
        at_least("O7", "deaths of the dead shadow, one a round and more", len(died), rounds + 1, "deaths", rounds),
        at_most("O7", f"requests failed of {asked:,}", failed, 0, "requests", asked),
        at_least("O7", "copies sent or dropped", copied, asked / 2, "copies", asked),
    ]


def _round(house: Running, version: str, ledger: Path, seconds: float, act: Callable[[], None]) -> np.ndarray:
    if version:
        move(house.house, MODEL, lambda routes: to_shadow(routes, version), "benchmark")
        wait_for(lambda: _shadows(house), 30.0)
        time.sleep(0.3)
    with load(house, ledger, RATE, workers=16):
        until = time.monotonic() + LEAVE_OUT_S + seconds
        while time.monotonic() < until:
            act()
            time.sleep(0.2)
    if version:
        move(house.house, MODEL, back, "benchmark")
        wait_for(lambda: not _shadows(house), 30.0)
    book = read(ledger)
    return book[book["due_ns"] > book["due_ns"].min() + LEAVE_OUT_S * 1e9]


def _shadows(house: Running) -> list[int]:
    seen = client.status(house.house.run_dir)["processes"]
    return [one["pid"] for one in seen if one["name"].endswith("-shadow") and one["state"] == "ready"]


def _end(house: Running, died: set[int]) -> None:
    for pid in _shadows(house):
        died.add(pid)
        with contextlib.suppress(OSError):
            kill(pid, signal.SIGSTOP)
            kill(pid)
