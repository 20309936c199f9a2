"""Interleaved rounds: every contestant is asked in turn, several times over, so that a slow minute hits them all.

Rows compare medians over the rounds. What a contestant cost is the processor time of its whole tree, requests of that
round only.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

import msgspec

from benchmarks.serving.closed import Measured, closed_loop
from benchmarks.serving.contestants import Contestant
from benchmarks.serving.models import Served

MANY = 16


class Figures(msgspec.Struct, frozen=True):
    """Medians over the rounds of one contestant; `spread` are its lowest and highest requests a second."""

    name: str
    per_s: float
    spread: tuple[float, float]
    p50_ms: float
    p99_ms: float
    cpu_us: float
    p50_alone_ms: float
    rounds: int


def interleave(contestants: Sequence[Contestant], served: Served, *, rounds: int, seconds: float) -> dict[str, Figures]:
    """Closed loop at 16 connections and at 1, `rounds` times over all contestants; prints a line for each."""
    seen: dict[str, list[tuple[Measured, Measured, float]]] = {one.name: [] for one in contestants}
    bodies = {one.name: one.bodies(served) for one in contestants}
    for one in contestants:
        closed_loop(one.url, bodies[one.name], one.headers, connections=MANY, seconds=1)
    for _ in range(rounds):
        for one in contestants:
            seen[one.name].append(_round(one, bodies[one.name], seconds))
    found = {name: _figures(name, measured) for name, measured in seen.items()}
    for figures in found.values():
        print(_line(figures), flush=True)
    return found


def _round(one: Contestant, bodies: Sequence[bytes], seconds: float) -> tuple[Measured, Measured, float]:
    before = one.used_s()
    many = closed_loop(one.url, bodies, one.headers, connections=MANY, seconds=seconds)
    cpu_us = (one.used_s() - before) / many.requests * 1e6
    alone = closed_loop(one.url, bodies, one.headers, connections=1, seconds=max(1.0, seconds / 3))
    return many, alone, cpu_us


def _figures(name: str, measured: Sequence[tuple[Measured, Measured, float]]) -> Figures:
    def median(value: Callable[[tuple[Measured, Measured, float]], float]) -> float:
        return statistics.median(value(one) for one in measured)

    rates = [many.per_s for many, _, _ in measured]
    return Figures(
        name,
        statistics.median(rates),
        (min(rates), max(rates)),
        median(lambda one: one[0].p50_ms),
        median(lambda one: one[0].p99_ms),
        median(lambda one: one[2]),
        median(lambda one: one[1].p50_ms),
        len(measured),
    )


def _line(one: Figures) -> str:
    low, high = one.spread
    return (
        f"  {one.name:24} {one.per_s:9,.0f} req/s ({low:,.0f}-{high:,.0f}), p50 {one.p50_ms:.2f} ms, "
        f"p99 {one.p99_ms:.1f} ms; alone p50 {one.p50_alone_ms:.3f} ms; {one.cpu_us:,.0f} us of CPU a request"
    )
