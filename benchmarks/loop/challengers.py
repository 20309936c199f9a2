"""Challengers that are bad in one way each, and what is measured of one that is a canary under load.

The rows O3, O4 and O7 come in here. Each challenger writes the moment of every call into a file, so that the last
request that ever reached it is known without asking the house.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.house import MODEL, Running, wait_for
from benchmarks.ledger import read
from benchmarks.load import load
from gyroscope.assembly.rolling import move, policy_of
from gyroscope.clock import SECOND_US, wall_now
from gyroscope.errors import ModelError
from gyroscope.models import Candidate, read_signature
from gyroscope.records import Version
from gyroscope.rollouts.moves import back, to_canary, to_champion
from gyroscope.supervisor import client

SHARE, LEAST = 0.2, 0.0001
TURNED = "turned"
CHAMPION = """\
import time
class Model:
    def predict(self, matrix, columns):
        time.sleep(0.003)
        return matrix[:, 0] * 2
"""
START = """\
import os, time
CALLS = {calls!r}
SEEN = [0]
class Model:
    def __init__(self, *given):
        {load}
    def predict(self, matrix, columns):
        SEEN[0] += 1
        with open(CALLS, "a") as file:
            file.write(f"{{time.time()}}\\n")
        {call}
        return matrix[:, 0] * 2
"""
EVERY = {
    "exit on load": ("os._exit(3)", "pass"),
    "segfault on the first request": ("pass", "os.kill(os.getpid(), 11)"),
    "segfault on the hundredth": ("pass", "os.kill(os.getpid(), 11) if SEEN[0] == 100 else None"),
    "hang on load": ("time.sleep(600)", "pass"),
    "hang on 1 %": ("pass", "time.sleep(600) if matrix[0, 0] % 100 == 7 else None"),
    "5xx on 100 %": ("pass", "raise ValueError('broken')"),
    "5xx on 10 %": ("pass", "if matrix[0, 0] % 10 == 7: raise ValueError('broken')"),
    "5xx on 1 %": ("pass", "if matrix[0, 0] % 100 == 7: raise ValueError('broken')"),
    "NaN": ("pass", "matrix = matrix * float('nan')"),
    "wrong shape": ("pass", "return matrix[:, :2]"),
    "3x slow": ("pass", "time.sleep(0.009)"),
    "leak": ("pass", "SEEN.append(bytearray(2_000_000))"),
    "10x latency": ("pass", "time.sleep(0.030)"),
    "10x work": ("pass", "end = time.perf_counter() + 0.030\n        while time.perf_counter() < end: pass"),
    "fine": ("pass", "time.sleep(0.003)"),
}
"""What it does when it is loaded, and when it is asked."""


class Seen(NamedTuple):
    """What came of a canary: clients' failed requests of all, whether it went back by itself, seconds from the decision
    and from its first bad answer to the last request that reached it (NaN: none did)."""

    failed: int
    asked: int
    went_back: bool
    after_s: float
    in_all_s: float


def settings(**more: object) -> dict[str, object]:
    """Of a house whose loop takes bad canaries back."""
    return {"loops": {"promotion": "off", "rollback": "act"}, "rollouts": {"start_s": 5.0}, **more}


def add(house: Running, name: str, calls: Path, *, signature: str = "", turns: bool = False) -> Version:
    """Register a challenger; one that `turns` answers well until there is the file `turned` beside its calls."""
    load, call = EVERY[name]
    if turns:
        call = f"if os.path.exists({str(calls.with_name(TURNED))!r}):\n            {call}"
    folder = calls.parent
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "challenger.py").write_text(START.format(calls=str(calls), load=load, call=call), encoding="utf-8")
    told = signature or (house.folder / "signature.yaml").read_text(encoding="utf-8")
    (folder / "signature.yaml").write_text(told, encoding="utf-8")
    candidate = Candidate(
        MODEL, "python", read_signature(folder / "signature.yaml"), folder / "challenger.py", entry="challenger:Model"
    )
    return house.house.models.add(candidate, wall_now())


def under_load(
    house: Running, version: Version, calls: Path, rate: float, seconds: float, act: Callable[[], object] | None = None
) -> Seen:
    """Make it a canary under load, until it is taken back or `seconds` are over; `act` takes it back by hand."""
    return _until_back(house, version, calls, rate, seconds, lambda: _as_canary(house, version, calls, act))


def promoted(house: Running, version: Version, calls: Path, rate: float, seconds: float) -> Seen:
    """Make it champion under load, then have it turn bad, until it is taken back or `seconds` are over."""
    return _until_back(house, version, calls, rate, seconds, lambda: _as_champion(house, version, calls))


def _as_canary(house: Running, version: Version, calls: Path, act: Callable[[], object] | None) -> float:
    move(house.house, MODEL, lambda routes: to_canary(routes, version.version, SHARE), "benchmark")
    if act is not None:
        wait_for(lambda: len(moments(calls)) > 20, 20.0)
        act()
    return 0.0


def _as_champion(house: Running, version: Version, calls: Path) -> float:
    """When it was told to turn bad."""
    move(house.house, MODEL, lambda routes: to_canary(routes, version.version, LEAST), "benchmark")
    names = f"{MODEL}-{version.version}-"
    wait_for(
        lambda: (
            {one["state"] for one in client.status(house.house.run_dir)["processes"] if one["name"].startswith(names)}
            == {"ready"}
        ),
        30.0,
    )
    holdback = policy_of(house.house).holdback
    move(house.house, MODEL, lambda routes: to_champion(routes, holdback), "benchmark")
    wait_for(lambda: len(moments(calls)) > 100, 20.0)
    calls.with_name(TURNED).touch()
    return time.time()


def _until_back(
    house: Running, version: Version, calls: Path, rate: float, seconds: float, begin: Callable[[], float]
) -> Seen:
    began = wall_now()
    ledger = calls.with_suffix(".ledger")
    with load(house, ledger, rate):
        time.sleep(0.5)
        turned_at = begin()
        wait_for(lambda: len(house.house.routes.routes(MODEL)) == 1, seconds)
        went_back = len(house.house.routes.routes(MODEL)) == 1
        time.sleep(1.5)
    if not went_back:
        try_back(house)
    book = read(ledger)
    failed = int(((book["status"] != 200) | (book["output"] != 2.0 * book["n"])).sum())
    reached = moments(calls)
    back_at = _changed_at(house, began)
    last = float(reached[-1]) if len(reached) else float("nan")
    first = float(reached[reached >= turned_at][0]) if (reached >= turned_at).any() else last
    return Seen(failed, len(book), went_back, last - back_at, last - first)


def try_back(house: Running) -> None:
    """By hand, when it is still there."""
    try:
        move(house.house, MODEL, back, "benchmark")
    except ModelError:
        return


def moments(calls: Path) -> np.ndarray:
    """When it was called, in seconds since 1970."""
    if not calls.is_file():
        return np.empty(0)
    return np.sort(np.array([float(line) for line in calls.read_text().split()], np.float64))


def _changed_at(house: Running, since: int) -> float:
    changes = [change.at for change in house.house.routes.history(MODEL) if change.kind == "routes"]
    return max([at for at in changes if at > since], default=0) / SECOND_US
