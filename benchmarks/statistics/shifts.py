"""Windows of a classifier whose inputs move while what they mean stays, or whose inputs stay while their meaning moves.

E1 draws these. The model is a logistic regression without the interaction that is there, fitted afresh each time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression

from gyroscope.stats.performance import Outcomes, tally
from gyroscope.stats.profiles import Profile, fit_layout, profile

WINDOWS, CLEAN, REFERENCE, ROWS, TRAINING = 30, 10, 40, 1_000, 20_000
KINDS = {"covariate": (1.0, 1.0), "relation": (0.0, 0.5)}
"""By kind: how far the first input moves, in its standard deviations, and what its weight is multiplied with."""

_WEIGHTS = np.array([1.2, -0.8, 0.6, 0.4, 0.0])
_INTERACTION, _LEVEL = 0.5, -1.0
_WINDOW_SD = 0.2
"""Of a level of its own that each window has."""

Array = np.ndarray


class Rows(NamedTuple):
    """One window."""

    score: Array
    label: Array
    inputs: Array

    def outcomes(self) -> Outcomes:
        return tally("binary", self.score, self.label)


class Drawn(NamedTuple):
    """Reference windows, and later ones of which the first ten are as before."""

    reference: list[Rows]
    later: list[Rows]

    def profiles(self) -> tuple[Profile, Profile]:
        """Of the whole reference and of the windows that are not as before: inputs and score."""
        before, after = _columns(self.reference), _columns(self.later[CLEAN:])
        layout = fit_layout(before)
        return profile(before, layout), profile(after, layout)


def draw(kind: str, rng: np.random.Generator) -> Drawn:
    """A model, its reference and a month."""
    moved, weight = KINDS[kind]
    inputs, label = _rows(TRAINING, rng)
    model = LogisticRegression().fit(inputs, label)

    def window(moved: float = 0.0, weight: float = 1.0) -> Rows:
        inputs, label = _rows(ROWS, rng, moved, weight, _WINDOW_SD * rng.normal())
        return Rows(model.predict_proba(inputs)[:, 1], label, inputs)

    reference = [window() for _ in range(REFERENCE)]
    later = [window() for _ in range(CLEAN)] + [window(moved, weight) for _ in range(WINDOWS - CLEAN)]
    return Drawn(reference, later)


def _rows(
    n: int, rng: np.random.Generator, moved: float = 0.0, weight: float = 1.0, level: float = 0.0
) -> tuple[Array, Array]:
    inputs = rng.normal(size=(n, _WEIGHTS.size))
    inputs[:, 0] += moved
    weights = _WEIGHTS * np.where(np.arange(_WEIGHTS.size) == 0, weight, 1.0)
    logit = inputs @ weights + _INTERACTION * inputs[:, 0] * inputs[:, 1] + _LEVEL + level
    return inputs, (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(np.float64)


def _columns(windows: list[Rows]) -> dict[str, Array]:
    inputs = np.concatenate([one.inputs for one in windows])
    columns = {f"x{at}": inputs[:, at] for at in range(inputs.shape[1])}
    return {**columns, "score": np.concatenate([one.score for one in windows])}
