"""A1: one cause is planted among 20 features; the exact split of each feature has to find it.

Reference (30 windows of 5,000 rows, a new world for every ten causes) and production are drawn from one population:
features with effects of their windows, half of them in correlated pairs, an error rate that depends on six of them and
varies by window. Causes: rows move to where errors always were (X), a segment of 6 to 25 % becomes harder (Y given X),
a column breaks in some rows.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, ndtr

from benchmarks.rows import Row
from benchmarks.statistics.doubt import share_at_least
from benchmarks.target import Options
from gyroscope.stats.attribution import FeatureLosses, attribute, tally_losses
from gyroscope.stats.profiles import fit_layout

FEATURES, WINDOWS, ROWS, A_WORLD = 20, 30, 5_000, 10
KINDS = ("moved", "worse in place", "broken")
SEGMENT = (0.06, 0.25)
WINDOW_SD = 0.006
"""Between-window standard deviation of the error rate; the planted gap is 2 to 4 times as large."""


def measure(options: Options) -> list[Row]:
    """200 causes of each kind in full, 60 quickly."""
    rng = np.random.default_rng([options.seed, 41])
    trials = 60 if options.is_quick else 200
    quick = {"is_quick": options.is_quick}
    rows, right = [], 0
    for kind in KINDS:
        found = [one for _ in range(trials // A_WORLD) for one in _ranks(kind, World(rng))]
        first, third = (sum(rank <= most for rank, _ in found) for most in (1, 3))
        rows += [
            share_at_least(("A1", f"{kind}: planted feature is the first"), first, trials, 0.8, **quick),
            share_at_least(("A1", f"{kind}: planted feature is among the first three"), third, trials, 0.95, **quick),
        ]
        right += sum(verdict == kind for _, verdict in found)
        print(f"A1 {kind}: ranks {sorted(rank for rank, _ in found)[-15:]}", flush=True)
    claim = "moved told from worse in place"
    return [*rows, share_at_least(("A1", claim), right, 2 * trials, 0.85, **quick)]


class World:
    """How rows and errors come about; drawn once a trial."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.levels = [int(levels) for levels in rng.integers(4, 12, FEATURES // 2)]
        self.effects = np.zeros(FEATURES)
        self.effects[rng.choice(FEATURES, 6, replace=False)] = rng.choice([-0.5, 0.5], 6)
        x = self.latent(WINDOWS)
        columns, risk = self.columns(x), self.risk(x, WINDOWS)
        self.layout = fit_layout(columns)
        cuts = [slice(at * ROWS, (at + 1) * ROWS) for at in range(WINDOWS)]
        self.reference = [self.tally({name: one[cut] for name, one in columns.items()}, risk[cut]) for cut in cuts]

    def tally(self, columns: dict[str, np.ndarray], risk: np.ndarray) -> FeatureLosses:
        """Draw the errors of some rows and count them."""
        return tally_losses(columns, (self.rng.random(risk.size) < risk).astype(float), self.layout)

    def latent(self, windows: int) -> np.ndarray:
        """(features, rows): normal, each window with an effect of its own, neighbours correlated by 0.5."""
        rows = windows * ROWS
        x = self.rng.normal(size=(FEATURES, rows))
        x[1:FEATURES:4] = 0.5 * x[0:FEATURES:4] + np.sqrt(0.75) * x[1:FEATURES:4]
        return x + np.repeat(self.rng.normal(0, 0.05, (FEATURES, windows)), ROWS, axis=1)

    def columns(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Numbers as they are, the other half as categories of unequal size."""
        made = {f"x{j}": x[j] for j in range(FEATURES // 2)}
        for place, levels in enumerate(self.levels):
            names = np.array([f"level {level}" for level in range(levels)], dtype=object)
            level = (ndtr(x[FEATURES // 2 + place]) ** 1.5 * levels).astype(int)
            made[f"c{place}"] = names[np.minimum(level, levels - 1)]
        return made

    def risk(self, x: np.ndarray, windows: int) -> np.ndarray:
        """The probability of an error, by row."""
        plain = expit(-2.2 + self.effects @ x)
        return plain + np.repeat(self.rng.normal(0, WINDOW_SD, windows), ROWS)


def _ranks(kind: str, world: World) -> list[tuple[int, str]]:
    """For ten causes in one world: place of the planted feature, 1 is first, and the verdict about the whole."""
    rng, found = world.rng, []
    for _ in range(A_WORLD):
        effective = np.flatnonzero(world.effects)
        planted = int(rng.choice(effective)) if kind == "moved" else int(rng.integers(FEATURES))
        columns, risk = _planted(kind, world, planted)
        split = attribute(world.reference, world.tally(columns, risk))
        found.append((1 + [one.column for one in split.features].index(list(columns)[planted]), split.verdict))
    return found


def _planted(kind: str, world: World, planted: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Columns and risks of a window with one cause in one feature."""
    rng, gap = world.rng, WINDOW_SD * world.rng.uniform(2, 4)
    now = world.latent(1)
    if kind == "moved":
        now = _moved(world, now, planted, gap)
    columns, risk = world.columns(now), world.risk(now, 1)
    if kind == "moved":
        return columns, risk
    share = rng.uniform(*SEGMENT)
    low = rng.uniform(0, 1 - share)
    place = ndtr(now[planted])
    hit = (place >= low) & (place < low + share) if kind == "worse in place" else rng.random(ROWS) < share
    if kind == "broken":
        name = list(columns)[planted]
        columns[name] = columns[name].copy()
        columns[name][hit] = rng.choice([np.nan, 0.0]) if planted < FEATURES // 2 else rng.choice([None, "level 0"])
    return columns, risk + hit * gap / hit.mean()


def _moved(world: World, now: np.ndarray, planted: int, gap: float) -> np.ndarray:
    """Rows pushed to where the loss always was, as far as the gap asks for."""
    towards = np.sign(world.effects[planted])
    plain = expit(-2.2 + world.effects @ now).mean()
    for step in np.arange(0.05, 3, 0.05):
        moved = now.copy()
        moved[planted] += towards * step
        if expit(-2.2 + world.effects @ moved).mean() - plain >= gap:
            break
    return moved
