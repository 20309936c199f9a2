"""E1: performance estimated before labels come, beside NannyML's CBPE on the same chunks; and the relation check.

Flights day by day, and months in which inputs move while what they mean stays. Ours learns from the labels of windows
before, theirs does not; ours without any label is printed beside.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

import peers
from benchmarks.rows import Row, at_least, at_most, unmeasured
from benchmarks.statistics.doubt import share_at_least, share_at_most
from benchmarks.statistics.flights import load_year
from benchmarks.statistics.shifts import CLEAN, Drawn, draw
from benchmarks.target import Options
from gyroscope.records import NotEnoughData
from gyroscope.stats.estimation import (
    Estimator,
    Scores,
    Verdict,
    fit_estimator,
    relation_stream,
    relation_verdict,
    support_of,
    track,
)
from gyroscope.stats.evidence import SHARES, Family, fit_baselines, replay
from gyroscope.stats.performance import METRICS, Outcomes, as_streams, metrics, tally

THEIRS = {
    "roc_auc": "auc",
    "f1": "f1",
    "precision": "precision",
    "recall": "recall",
    "accuracy": "accuracy",
    "average_precision": "average_precision",
}
BOOTSTRAP, BLOCK, Z_99 = 400, 7, 2.326
SCRIPT = Path(peers.HERE) / "nannyml" / "cbpe.py"

Array = np.ndarray


class Case(NamedTuple):
    """Labelled windows of a reference and of later, and from which of those on the comparison counts."""

    reference: list[Array]
    later: list[Array]
    since: int = 0


def measure(options: Options) -> list[Row]:
    """200 months of each kind, 40 of them by NannyML too, and 306 days; 16, 2 and 90 in a quick run."""
    rng = np.random.default_rng((5, options.seed))
    n, by_them, days = (16, 2, 90) if options.is_quick else (200, 40, 306)
    moved = [draw("covariate", rng) for _ in range(n)]
    turned = [draw("relation", rng) for _ in range(n)]
    year = load_year(options.folder)
    reference, later = ([np.array([*pair]) for pair in rows.labelled()] for rows in (year.reference, year.later))
    cases = [Case(reference, later[:days]), *(_case(one) for one in moved[:by_them])]
    try:
        theirs = _nannyml(cases, options.folder)
    except (peers.PeerMissingError, OSError, subprocess.SubprocessError) as error:
        rows = [unmeasured("E1", f"NannyML did not run: {error}")]
    else:
        rows = [_beside("flights by day", cases[:1], theirs[:1], options)]
        rows.append(_beside(f"inputs moved, {by_them} months", cases[1:], theirs[1:], options))
    return [*rows, *_covered([_case(one) for one in moved]), *_relation(moved, turned, options.is_quick)]


def _beside(where: str, cases: list[Case], theirs: list[dict], options: Options) -> Row:
    """The worst ratio of mean absolute errors among their metrics; a quick run falls short only beyond doubt."""
    errors = np.array([_errors_of(cases, theirs, name, metric) for name, metric in THEIRS.items()])
    errors[:, :, ~np.isfinite(errors).all(axis=1).all(axis=0)] = np.nan
    ratios, without = _ratios(errors)
    n, rng = errors.shape[2], np.random.default_rng(options.seed)
    starts = rng.integers(0, n, (BOOTSTRAP, -(-n // BLOCK)))
    drawn = ((starts[:, :, np.newaxis] + np.arange(BLOCK)).reshape(BOOTSTRAP, -1) % n)[:, :n]
    spread = np.std([_ratios(errors[:, :, windows])[0] for windows in drawn], axis=0)
    each = zip(THEIRS.values(), ratios, spread, without, strict=True)
    said = ", ".join(f"{metric} {ratio:.3f} +- {error:.3f} ({plain:.2f})" for metric, ratio, error, plain in each)
    claim = f"{where}: our error / NannyML's, worst of {said}; in brackets without labels of windows before"
    worst = int(ratios.argmax())
    row = at_most("E1", claim, float(ratios[worst]), 1.0, f"ratio, se {spread[worst]:.3f}", n, "nannyml 0.13.1")
    is_in_doubt = options.is_quick and bool((ratios - Z_99 * spread <= 1).all())
    return msgspec.structs.replace(row, holds=bool(row.holds or is_in_doubt))


def _ratios(errors: Array) -> tuple[Array, Array]:
    """Per metric: ours, and ours without any label, over theirs; errors are (metrics, those three, windows)."""
    ours, plain, their = np.nanmean(errors, axis=2).T
    return ours / their, plain / their


def _errors_of(cases: list[Case], theirs: list[dict], name: str, metric: str) -> Array:
    return np.concatenate([np.array(one) for one in _errors(cases, theirs, name, metric)], axis=1)


def _errors(cases: list[Case], theirs: list[dict], name: str, metric: str) -> list[tuple[Array, Array, Array]]:
    found = []
    for case, their in zip(cases, theirs, strict=True):
        estimator, later = _fitted(case), _outcomes(case.later)
        scores = [Scores.from_outcomes(one) for one in later]
        told = track(estimator, scores, later, metric)
        blind = track(estimator, scores, [NotEnoughData("no label")] * len(later), metric)
        value, realised = (np.array(their[name][key], np.float64) for key in ("value", "realized"))
        errors = (told.estimate - told.realised, blind.estimate - told.realised, value - realised)
        found.append(tuple(np.abs(error)[case.since :] for error in errors))
    return found


def _covered(cases: list[Case]) -> list[Row]:
    """Intervals without labels of windows before, where inputs moved and what they mean did not."""
    hits = {metric: [] for metric in METRICS["binary"]}
    for case in cases:
        estimator = _fitted(case)
        for one in _outcomes(case.later)[case.since :]:
            realised = metrics(one)
            for metric, estimate in estimator.estimate(Scores.from_outcomes(one)).items():
                if not isinstance(estimate, NotEnoughData) and not isinstance(realised[metric], NotEnoughData):
                    hits[metric].append(estimate.low <= realised[metric].value <= estimate.high)
    shares = {metric: float(np.mean(hit)) for metric, hit in hits.items()}
    value, n = float(np.mean(list(shares.values()))), sum(map(len, hits.values()))
    said = ", ".join(f"{metric} {share:.2f}" for metric, share in shares.items())
    claim = f"inputs moved: intervals cover, mean of {said}"
    return [at_least("E1", claim, value, 0.90, "share", n), at_most("E1", "the same", value, 0.98, "share", n)]


def _relation(moved: list[Drawn], turned: list[Drawn], is_quick: bool) -> list[Row]:
    named = sum(_verdict(one) is Verdict.CHANGED for one in turned)
    falsely = sum(_verdict(one) is Verdict.CHANGED for one in moved)
    change = "months in which the relation changed that are told so"
    still = "months in which only inputs moved that are told so"
    return [
        share_at_least(("E1", change), named, len(turned), 0.85, is_quick=is_quick),
        share_at_most(("E1", still), falsely, len(moved), 0.05, is_quick=is_quick),
    ]


def _verdict(drawn: Drawn) -> Verdict | None:
    """What the relation check says of a month, once the change had come."""
    reference, later = ([one.outcomes() for one in windows] for windows in drawn)
    estimator = fit_estimator(reference)
    assert isinstance(estimator, Estimator)
    before, after = as_streams({"brier": relation_stream(estimator, reference, later)}, prefix="relation")
    course = replay(Family("estimate", fit_baselines(before), SHARES["estimate"]), after, np.ones(after.windows))
    if not any(alarm.at >= CLEAN for alarm in course.alarms):
        return None
    whole, current = drawn.profiles()
    return relation_verdict(support_of(whole, current, [*whole.columns]))


def _nannyml(cases: list[Case], folder: Path) -> list[dict]:
    given: dict[str, Array] = {"sets": np.array(len(cases))}
    for k, case in enumerate(cases):
        for name, windows, first in (("reference", case.reference, 0), ("later", case.later, len(case.reference))):
            chunk = np.repeat(np.arange(len(windows)) + first, [one.shape[1] for one in windows])
            given[f"{name}_{k}"] = np.vstack([np.concatenate(windows, axis=1), chunk])
    source, target = folder / "chunks.npz", folder / "estimates.json"
    np.savez(source, **given)  # type: ignore[arg-type]
    argv = [str(peers.python("nannyml")), "-W", "ignore", str(SCRIPT), str(source), str(target)]
    subprocess.run(argv, check=True, env=quiet(), stderr=subprocess.DEVNULL)
    return json.loads(target.read_text(encoding="utf-8"))


def quiet() -> dict[str, str]:
    """The environment of peers: NannyML would report its use to its makers, and wait for them where there is no way."""
    return {**os.environ, "NML_DISABLE_USAGE_LOGGING": "1"}


def _case(drawn: Drawn) -> Case:
    reference, later = ([np.array([one.score, one.label]) for one in windows] for windows in drawn)
    return Case(reference, later, CLEAN)


def _fitted(case: Case) -> Estimator:
    estimator = fit_estimator(_outcomes(case.reference))
    assert isinstance(estimator, Estimator)
    return estimator


def _outcomes(windows: list[Array]) -> list[Outcomes]:
    return [tally("binary", *window) for window in windows]
