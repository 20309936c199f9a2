"""O5: rollouts of equal versions, and of one that is five points of accuracy worse, by the product's own `decide`.

A look at every batch of labels (a day of 300 labelled rows that share the day's weather), all stages simulated: the
shadow by pairs, each step of the canary by errors and slow answers. A verdict of "no better" or "too long" ends a
rollout and claims no harm; it is counted beside. The test of fixed horizon is a two-sided z test of 5 % and 80 % power.
"""

from __future__ import annotations

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.rows import Row, at_least, at_most
from benchmarks.target import Options
from gyroscope.rollouts.decide import Arms, Policy, Reason, Seen, Windows, decide

DAYS, ROWS, LOST = 60, 300, 0.05
ALONE, DAY_SD, HOURS = 0.05, 0.01, 24
"""Share of rows where one version alone is wrong, how much a day moves either, looks at each step of the canary."""

POLICY = Policy(steps=(0.05, 0.25), step_s=0.0, most_days=DAYS)
NO_CLAIM = (Reason.NOT_BETTER, Reason.TOO_LONG)


def measure(options: Options) -> list[Row]:
    """Both rows, with what it took beside them."""
    n = 60 if options.is_quick else 2_000
    drawn = np.random.default_rng(options.seed)
    equal = [_rollout(drawn, 0.0) for _ in range(n)]
    worse = [_rollout(drawn, LOST) for _ in range(max(30, n // 5))]
    wrong = [end for end in equal if end[0] == "promote" or (end[0] == "roll back" and end[1] not in NO_CLAIM)]
    found = [end for end in worse if end[0] == "roll back"]
    _tell(equal, worse)
    variance = 2 * ALONE + LOST - LOST**2
    fixed = (1.96 + 0.84) ** 2 * variance / LOST**2
    median = float(np.median([end[2] * ROWS for end in worse]))
    claim = f"equal versions: wrongly promoted or called worse, of {n:,}"
    return [
        at_most("O5", claim, 100 * len(wrong) / n, 5.0, "%", n),
        at_least("O5", "five points worse: taken back", 100 * len(found) / len(worse), 95.0, "%", len(worse)),
        at_most(
            "O5", f"labels to that, median (fixed horizon: {fixed:,.0f})", median, DAYS * ROWS, "labels", len(worse)
        ),
    ]


def _rollout(drawn: np.random.Generator, lost: float) -> tuple[str, str, int]:
    """How it ended, why, and after how many days."""
    days = np.arange(DAYS)
    moved = drawn.normal(0.0, DAY_SD, (2, DAYS)).clip(-ALONE, ALONE)
    old_alone = drawn.binomial(ROWS, ALONE + moved[0], DAYS)
    new_alone = drawn.binomial(ROWS, ALONE + moved[1] + lost, DAYS)
    gains = (old_alone - new_alone) / ROWS
    fine = Arms((5_000,), (0,), (5_000,), (0,))  # in the shadow, labels are what this row is about
    seen = Seen("m", "new", "shadow", POLICY, errors=fine, slow=fine)
    for day in days:
        windows = Windows(tuple(gains[: day + 1].tolist()), (ROWS,) * (day + 1), float(day + 1))
        verdict = decide(msgspec.structs.replace(seen, windows=windows, age_days=float(day + 1)))
        if verdict.action == "canary":
            return (*_canary(drawn, seen, float(verdict.evidence["share"])), int(day + 1))
        if verdict.action == "roll back":
            return "roll back", verdict.reason, int(day + 1)
    return "roll back", Reason.TOO_LONG, DAYS


def _canary(drawn: np.random.Generator, seen: Seen, share: float) -> tuple[str, str]:
    """Steps of equal errors and speed, looked at every hour until the verdict."""
    while True:
        errors, slow = _arms(drawn, share), _arms(drawn, share)
        for hour in range(1, HOURS * 7 + 1):
            now = msgspec.structs.replace(
                seen, stage="canary", share=share, errors=_first(errors, hour), slow=_first(slow, hour)
            )
            verdict = decide(now)
            if verdict.action != "keep waiting":
                break
        if verdict.action != "canary":
            return verdict.action, verdict.reason
        share = float(verdict.evidence["share"])


def _arms(drawn: np.random.Generator, share: float) -> Arms:
    """A week of hours of 2,000 requests, 1 % of them harmful on either side."""
    n = drawn.binomial(2_000, share, HOURS * 7)
    parts = (2_000 - n, drawn.binomial(2_000 - n, 0.01), n, drawn.binomial(n, 0.01))
    return Arms(*(tuple(part.tolist()) for part in parts))


def _first(arms: Arms, hours: int) -> Arms:
    return Arms(arms.a_n[:hours], arms.a_harm[:hours], arms.b_n[:hours], arms.b_harm[:hours])


def _tell(equal: list[tuple[str, str, int]], worse: list[tuple[str, str, int]]) -> None:
    table = Table("ended", "because", "equal", "worse", "days, median")
    for end in sorted({(action, str(reason)) for action, reason, _ in equal + worse}):
        counts = [sum((action, str(reason)) == end for action, reason, _ in each) for each in (equal, worse)]
        days = np.median([took for action, reason, took in equal + worse if (action, str(reason)) == end])
        table.add_row(*end, *map(str, counts), f"{days:.0f}")
    Console().print(table)
