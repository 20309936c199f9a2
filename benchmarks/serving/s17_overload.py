"""S17: ten times the load that two replicas can carry, and back: what is answered in time, how late, how soon it ends.

The model sleeps 10 ms. What they carry is measured first; then Poisson arrivals: 0.7 of it, 10 times it
(a fifth with high priority), 0.7 again. A request is good when its answer is right and within the deadline. The control
is a door that refuses nothing, by a `haproxy` first on PATH that takes those lines out of its configuration.
"""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.house import Running, running
from benchmarks.rows import Row, at_least, at_most, control, with_control
from benchmarks.serving.paced import Kind, Plan, paced
from benchmarks.serving.s13_replicas import PATH, body, headers, sleeper
from benchmarks.serving.wrapped import door_without
from benchmarks.target import Options

SLEEP_MS, REPLICAS, DEADLINE_S = 10, 2, 0.1
CARRIED = REPLICAS * 1000 / SLEEP_MS
CALM_S, LOOK_S = 6.0, 0.25
REFUSES_NOTHING = "/too many requests are waiting/d; s/timeout queue .*/timeout queue 30s/"


def measure(options: Options) -> list[Row]:
    """The row's figures and the control."""
    seconds = 20.0 if options.is_quick else 60.0
    with _house(options.folder / "house", options.folder) as house:
        peak = _goodput(_send(house, options.folder, 1.5 * CARRIED, 5.0))
        seen = _send(house, options.folder, 0.7 * peak, CALM_S, (10 * peak, seconds), (0.7 * peak, CALM_S))
    with door_without(REFUSES_NOTHING, options.folder), _house(options.folder / "control", options.folder) as house:
        collapsed = _goodput(_send(house, options.folder, 10 * peak, 5.0))
    before, flood, after = _steps(seen, peak, seconds)
    calm_ms, flood_ms = _p99_ms(before), _p99_ms(flood)
    good, refused = _goodput(flood), flood[flood["status"] != 200]
    _tell(flood, peak)
    n = len(flood)
    rows = [
        at_least("S17", f"goodput at 10 x load against the peak ({good:.0f} / {peak:.0f} a second)", good / peak, 0.9,
                 "x", n),
        at_most("S17", f"p99 of what is answered, against 0.7 x load ({flood_ms:.0f} / {calm_ms:.0f} ms)",
                flood_ms / calm_ms, 2.0, "x", n),
        at_most("S17", "after the overload until answers are as before", _recovery_s(after, calm_ms), 2.0, "s",
                len(after)),
        at_most("S17", "median of a refusal", float(np.median(refused["took_ns"])) / 1e6, 5.0, "ms", len(refused)),
        at_most("S17", "replies that are neither 200 nor 503 with Retry-After", _odd(flood), 0, "requests", n),
    ]  # fmt: skip
    lost = peak - collapsed if collapsed < 0.5 * peak else 0.0
    return with_control(rows, control("S17", "goodput lost by a door that refuses nothing", lost, "1/s", n))


def _house(place: Path, folder: Path) -> AbstractContextManager[Running]:
    return running(place, replicas=REPLICAS, candidate=sleeper(folder), serving={"deadline_s": DEADLINE_S})


def _send(house: Running, folder: Path, rate: float, seconds: float, *later: tuple[float, float]) -> NDArray[np.void]:
    asked = [body(SLEEP_MS)]
    kinds = [Kind(80, asked, b"predictions"), Kind(20, asked, b"predictions", {"X-Priority": "high"})]
    plan = Plan(house.port, PATH, headers(house), kinds, rate, seconds, workers=256, is_poisson=True, later=later)
    return np.sort(paced(plan, folder), order="due_ns")


def _steps(
    seen: NDArray[np.void], peak: float, seconds: float
) -> tuple[NDArray[np.void], NDArray[np.void], NDArray[np.void]]:
    """Before (the first second warms up), the flood, and after it."""
    calm, flood = round(0.7 * peak * CALM_S), round(10 * peak * seconds)
    return seen[round(0.7 * peak) : calm], seen[calm : calm + flood], seen[calm + flood :]


def _is_good(seen: NDArray[np.void]) -> NDArray[np.bool_]:
    return (seen["status"] == 200) & (seen["took_ns"] <= DEADLINE_S * 1e9)


def _goodput(seen: NDArray[np.void]) -> float:
    """Good answers a second."""
    spent_s = (seen["due_ns"].max() - seen["due_ns"].min()) / 1e9
    return float(_is_good(seen).sum() / spent_s)


def _p99_ms(seen: NDArray[np.void]) -> float:
    return float(np.percentile(seen["took_ns"][seen["status"] == 200], 99)) / 1e6


def _recovery_s(after: NDArray[np.void], calm_ms: float) -> float:
    """The end of the last quarter of a second in which 5 % were not good, or a tenth clearly slower than calm's p99."""
    at_s = (after["due_ns"] - after["due_ns"].min()) / 1e9
    bad = 0.0
    for start in np.arange(0, at_s.max(), LOOK_S):
        part = after[(at_s >= start) & (at_s < start + LOOK_S)]
        if len(part) and (_is_good(part).mean() < 0.95 or np.percentile(part["took_ns"], 90) / 1e6 > 1.5 * calm_ms):
            bad = float(start + LOOK_S)
    return bad


def _odd(seen: NDArray[np.void]) -> int:
    return int((~np.isin(seen["status"], (200, 503))).sum())


def _tell(flood: NDArray[np.void], peak: float) -> None:
    statuses = Counter(flood["status"].tolist())
    shares = [float((flood["status"][flood["kind"] == kind] == 200).mean()) for kind in (0, 1)]
    print(
        f"S17: peak {peak:.0f}/s; statuses {dict(statuses)}; "
        f"answered {shares[0]:.3f} of normal, {shares[1]:.3f} of high priority"
    )
