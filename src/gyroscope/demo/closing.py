"""The closing table: what this loop's answers were worth beside three other ways to live through the same year.

`run.py` asks at the end. All four are held against the same rows as they were sent, with their real outcomes: the loop
by what it answered, the others by models that are trained here on what was known by then.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lightgbm
import msgspec
import numpy as np

from gyroscope.demo.flights import Flights
from gyroscope.demo.train import ARTIFACT, EARLIER, Floats, encode, fit
from gyroscope.records import Signature

Months = dict[int, float]

TOGETHER = 2
"""So many models are trained at a time: the house is idle by then, and the demo has two cores at least."""


class Way(msgspec.Struct, frozen=True):
    """One way: mean Brier score over all labelled rows and by month, and how many trainings it took."""

    name: str
    brier: float
    by_month: Months
    trainings: int


def compare(sent: Flights, answers: Floats, signature: Signature, folder: Path, trainings: int) -> list[Way]:
    """Never retrained, this loop, retrained every month, and the best of their models for each month in hindsight.

    `answers`, shape (n,): the probability that was answered to each flight; `trainings` is the loop's number.
    """
    known = sent.late >= 0
    rows, late = sent.where(known), sent.late[known].astype(np.float64)
    matrix = encode(rows.columns, signature)
    never = np.asarray(lightgbm.Booster(model_file=str(folder / ARTIFACT)).predict(matrix, num_threads=1))
    months = sorted({int(month) for month in rows.month})
    monthly, hindsight, used = _monthly(rows.month, months, matrix, late, never, folder)
    ways = [("never retrained", never, 0), ("this loop", answers[known], trainings)]
    ways += [("retrained every month", monthly, len(months) - 1), ("best in hindsight", hindsight, used)]
    return [_way(name, (said - late) ** 2, rows.month, months, count) for name, said, count in ways]


def _monthly(
    month: np.ndarray, months: Sequence[int], matrix: Floats, late: Floats, never: Floats, folder: Path
) -> tuple[Floats, Floats, int]:
    """What models of each month's first day say, what the best of those there were said, and how many it took."""
    with np.load(folder / EARLIER) as earlier:
        before = earlier["matrix"], earlier["late"]

    def first_of(one: int) -> Floats:
        """What the model of a month's first day says to all later flights; LightGBM keeps no other thread waiting."""
        past = month < one
        model = fit(np.concatenate([before[0], matrix[past]]), np.concatenate([before[1], late[past]]))
        answer = np.full(len(late), np.nan)
        answer[~past] = np.asarray(model.predict(matrix[~past], num_threads=1))
        return answer

    with ThreadPoolExecutor(TOGETHER) as pool:
        said = [never, *pool.map(first_of, months[1:])]
    newest, best, used = never.copy(), never.copy(), set[int]()
    for place, one in enumerate(months):
        now = month == one
        newest[now] = said[place][now]
        losses = [float(np.mean((each[now] - late[now]) ** 2)) for each in said[: place + 1]]
        chosen = int(np.argmin(losses))
        best[now] = said[chosen][now]
        used |= {chosen} - {0}
    return newest, best, len(used)


def _way(name: str, loss: Floats, month: np.ndarray, months: Sequence[int], trainings: int) -> Way:
    by_month = {one: float(loss[month == one].mean()) for one in months}
    return Way(name, float(loss.mean()), by_month, trainings)
