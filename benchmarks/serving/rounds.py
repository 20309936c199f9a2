"""Interleaved rounds: every contestant is asked in turn, several times over, so that a slow minute hits them all.

Rows compare medians over the rounds. What a contestant cost is the processor time of its whole tree, requests of that
round only.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from benchmarks.rows import Row, at_least
from benchmarks.serving.closed import Measured, closed_loop
from benchmarks.serving.contestants import Contestant, Peer, ours_direct, ours_with_door, wait_ready
from benchmarks.serving.models import Served
from benchmarks.serving.paced import Kind, Plan, failed, paced, percentile_ms
from benchmarks.target import Options

MANY = 16
FASTEST_PACED = 4_000.0
"""The open-loop generator sends no more than this a second without being late itself."""


class Figures(msgspec.Struct, frozen=True):
    """Medians over the rounds of one contestant; `spread` are its lowest and highest requests a second."""

    name: str
    per_s: float
    spread: tuple[float, float]
    p50_ms: float
    p99_ms: float
    cpu_us: float
    rounds: int


def side_by_side(
    options: Options,
    served: Served,
    against: Sequence[Peer],
    *,
    with_door: bool = False,
    more: Callable[[Contestant], Sequence[Contestant]] = lambda ours: (),
) -> dict[str, Figures]:
    """Ours and these peers, started together and measured in turn. `more` are other ways to ask ours."""
    with ExitStack() as stack:
        running = [stack.enter_context(peer.start(served)) for peer in against]
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.folder)))
        ours = stack.enter_context(ours_direct(served, folder / "direct"))
        running += [ours, *more(ours)]
        if with_door:
            running.append(stack.enter_context(ours_with_door(served, folder / "door")))
        for one in running:
            wait_ready(one, served)
        if options.is_quick:
            return interleave(running, served, rounds=3, seconds=1)
        found = interleave(running, served, rounds=5, seconds=10)
        _quiet(running, served, found, folder)
    return found


def faster(row_id: str, claim: str, mine: Figures, peer: Figures, bound: float) -> Row:
    """A row: how many times the peer's requests a second ours are."""
    said = f"{claim} ({mine.per_s:,.0f} / {peer.per_s:,.0f}; CPU {mine.cpu_us:,.0f} / {peer.cpu_us:,.0f} us)"
    return at_least(row_id, said, mine.per_s / peer.per_s, bound, "x", mine.rounds, peer.name)


def interleave(contestants: Sequence[Contestant], served: Served, *, rounds: int, seconds: float) -> dict[str, Figures]:
    """Closed loop at 16 connections, `rounds` times over all contestants; prints a line for each."""
    seen: dict[str, list[tuple[Measured, float]]] = {one.name: [] for one in contestants}
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


def _round(one: Contestant, bodies: Sequence[bytes], seconds: float) -> tuple[Measured, float]:
    before = one.used_s()
    many = closed_loop(one.url, bodies, one.headers, connections=MANY, seconds=seconds)
    return many, (one.used_s() - before) / many.requests * 1e6


def _figures(name: str, measured: Sequence[tuple[Measured, float]]) -> Figures:
    rates = [many.per_s for many, _ in measured]
    return Figures(
        name,
        statistics.median(rates),
        (min(rates), max(rates)),
        statistics.median(many.p50_ms for many, _ in measured),
        statistics.median(many.p99_ms for many, _ in measured),
        statistics.median(cpu_us for _, cpu_us in measured),
        len(measured),
    )


def _line(one: Figures) -> str:
    low, high = one.spread
    return (
        f"  {one.name:24} {one.per_s:9,.0f} req/s ({low:,.0f}-{high:,.0f}), p50 {one.p50_ms:.2f} ms, "
        f"p99 {one.p99_ms:.1f} ms; {one.cpu_us:,.0f} us of CPU a request"
    )


def _quiet(running: Sequence[Contestant], served: Served, found: dict[str, Figures], folder: Path) -> None:
    """One connection, then an open loop at half of what each managed; printed, since no claim depends on it."""
    for one in running:
        bodies = one.bodies(served)
        alone = closed_loop(one.url, bodies, one.headers, connections=1, seconds=3)
        rate = min(found[one.name].per_s / 2, FASTEST_PACED)
        plan = Plan(one.port, one.protocol.path, one.headers, [Kind(1, bodies)], rate, 5.0, is_poisson=True)
        seen = paced(plan, folder)
        print(
            f"  {one.name:24} one connection p50 {alone.p50_ms:.3f} ms; open loop at {rate:,.0f}/s: "
            f"p50 {percentile_ms(seen, 50):.2f} ms, p99 {percentile_ms(seen, 99):.1f} ms, {failed(seen)} failed",
            flush=True,
        )
