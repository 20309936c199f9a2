"""N4: how often others alarm when nothing has changed, on the very rows that ours sees.

Their released packages at quick-start settings, each in an environment of its own. Unit for all: windows with an alarm
per 30 windows; beside it incidents, grouped as ours are, so that an alarm stands until three quiet windows have passed.
The row is each peer's worst ratio over the cells of up to 1,000 rows a window or 100 and more categories; of larger
numeric windows the peers are silent too, and the figure is printed as it is. Full: 6 cells; ours over 100 months, as it
alarms seldom; the peers over 20, those that take half a minute a month and alarm in most windows over 3 or 5.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import msgspec
import numpy as np

import peers
from benchmarks.rows import Row, at_least, unmeasured
from benchmarks.statistics.fine import FineNumbers, FineTexts, profiles
from benchmarks.statistics.population import Cell, draw
from benchmarks.target import Options
from gyroscope.stats.evidence import Family, fit_baselines, replay
from gyroscope.stats.streams import fit_columns

PEERS = ("evidently", "nannyml", "whylogs", "alibi-detect", "river")
OURS, MONTHS, SLOW = 100, 20, {"evidently": 3, "nannyml": 5, "whylogs": 5}
FEW = 3
"""Months of a cell that no claim is about."""
QUIET = 3
LEAST = 10.0


class Setting(msgspec.Struct, frozen=True):
    """A cell and the columns in it; whether the claim is about it."""

    said: str
    cell: Cell
    numbers: int = 40
    kinds: tuple[int, ...] = (2, 2, 2, 20, 20, 20, 20, 20, 20, 20)
    is_claimed: bool = True


SETTINGS = (
    Setting("100 rows", Cell(100, 20)),
    Setting("100 rows, ICC 0.05", Cell(100, 20, 0.05)),
    Setting("1,000 rows", Cell(1_000, 20)),
    Setting("1,000 rows, ICC 0.005", Cell(1_000, 20, 0.005)),
    Setting("1,000 rows, 200 categories", Cell(1_000, 20), numbers=0, kinds=(200,) * 50),
    Setting("5,000 rows, numbers only", Cell(5_000, 20), numbers=50, kinds=(), is_claimed=False),
)
QUICK = (Setting("100 rows, ICC 0.05", Cell(100, 20, 0.05, later=10)),)


def measure(options: Options) -> list[Row]:
    """Rows of N4."""
    settings = QUICK if options.is_quick else SETTINGS
    alarms: dict[tuple[str, str], list[list[bool]]] = {}
    lost: dict[str, str] = {}
    for place, setting in enumerate(settings):
        most = 1 if options.is_quick else MONTHS if setting.is_claimed else FEW
        written, ours = _months(options, place, setting, most)
        alarms["ours", setting.said] = ours
        for peer in PEERS:
            if peer in lost:
                continue
            try:
                alarms[peer, setting.said] = _asked(peer, written[: SLOW.get(peer, most)])
            except (peers.PeerMissingError, subprocess.SubprocessError, OSError, json.JSONDecodeError) as error:
                lost[peer] = f"{peer} could not be asked: {error}"
        for path in written:
            path.unlink()
    for (who, said), months_seen in alarms.items():
        windows, incidents = _rates(months_seen)
        n = f"{len(months_seen)} months"
        print(f"N4 {said}, {who}: {windows:.2f} windows with an alarm and {incidents:.2f} incidents per 30 days ({n})")
    measured = [_row(peer, settings, alarms, options.is_quick) for peer in PEERS if peer not in lost]
    return measured + [unmeasured("N4", why) for why in lost.values()]


def _row(peer: str, settings: tuple[Setting, ...], alarms: dict, is_quick: bool) -> Row:
    ratios = {}
    for setting in settings:
        if setting.is_claimed:
            months = alarms["ours", setting.said]
            # None of ours in all months counts as one. Of a single quick month nothing else can be said.
            ours = 1.0 if is_quick else max(_rates(months)[0], 1 / len(months))
            ratios[setting.said] = _rates(alarms[peer, setting.said])[0] / ours
    worst = min(ratios, key=lambda said: ratios[said])
    said = f"windows with a false alarm, theirs / ours, least of {len(ratios)} cells ({worst})"
    return at_least("N4", said, ratios[worst], LEAST, "x", len(alarms[peer, worst]), peer)


def _rates(months: list[list[bool]]) -> tuple[float, float]:
    """Windows with an alarm and incidents, per 30 windows."""
    windows = sum(map(len, months)) / 30
    return sum(map(sum, months)) / windows, sum(map(_incidents, months)) / windows


def _incidents(flags: list[bool]) -> int:
    count, quiet = 0, QUIET
    for flag in flags:
        count += flag and quiet >= QUIET
        quiet = 0 if flag else quiet + 1
    return count


def _months(options: Options, place: int, setting: Setting, most: int) -> tuple[list[Path], list[list[bool]]]:
    """Files of rows of the first months for the peers, and our own alarms on them and on more."""
    written, ours = [], []
    for month in range(most if options.is_quick else OURS):
        rng = np.random.default_rng((options.seed, 4, place, month))
        columns = draw(rng, setting.cell, setting.numbers, setting.kinds)
        before, after = profiles(columns, setting.cell.reference)
        scale = fit_columns(before)
        course = replay(
            Family("input", fit_baselines(scale.reference)), scale.streams(after), np.ones(setting.cell.later)
        )
        at = {alarm.at for alarm in course.alarms}
        ours.append([window in at for window in range(setting.cell.later)])
        if month < most:
            path = options.folder / f"{place}-{month}.npz"
            _write(path, rng, columns, setting.cell.reference)
            written.append(path)
    return written, ours


def _write(path: Path, rng: np.random.Generator, columns: dict, reference: int) -> None:
    """The rows behind the counts, in a random order within each window."""
    first = next(iter(columns.values()))
    sizes = first.counts.sum(axis=1) + first.missing
    numbers = [_numbers(rng, column, sizes) for column in columns.values() if isinstance(column, FineNumbers)]
    texts = [_texts(rng, column, sizes) for column in columns.values() if isinstance(column, FineTexts)]
    rows = int(sizes.sum())
    np.savez(
        path,
        numbers=np.column_stack(numbers) if numbers else np.empty((rows, 0)),
        texts=np.column_stack(texts) if texts else np.empty((rows, 0), np.int64),
        sizes=sizes,
        reference=reference,
    )


def _numbers(rng: np.random.Generator, column: FineNumbers, sizes: np.ndarray) -> np.ndarray:
    counts = np.column_stack([column.counts, column.missing])
    rows = np.repeat(np.tile(np.append(column.values, np.nan), len(sizes)), counts.ravel())
    return _shuffled(rng, rows, sizes)


def _texts(rng: np.random.Generator, column: FineTexts, sizes: np.ndarray) -> np.ndarray:
    # A missing text is a category of its own: not every peer takes one.
    counts = np.column_stack([column.counts, column.missing])
    return _shuffled(rng, np.repeat(np.tile(np.arange(counts.shape[1]), len(sizes)), counts.ravel()), sizes)


def _shuffled(rng: np.random.Generator, rows: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    return rows[np.lexsort((rng.random(len(rows)), np.repeat(np.arange(len(sizes)), sizes)))]


def _asked(peer: str, months: list[Path]) -> list[list[bool]]:
    out = months[0].with_suffix(f".{peer}.json")
    script = peers.HERE / peer / "alarms.py"
    argv = [str(peers.python(peer)), "-W", "ignore", str(script), str(out), *map(str, months)]
    quiet = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run(argv, check=True, env=quiet, capture_output=True)
    return json.loads(out.read_text())
