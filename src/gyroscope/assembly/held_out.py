"""The reference of a trained challenger, from rows that a twin of it has not seen.

A trainer's process calls this when `retrain.held_out` asks for it. The twin is made by the same function of the older
rows and says what it thinks of the newer ones; the challenger itself has seen all of them, so it could not.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gyroscope.clock import event_time_of, wall_now
from gyroscope.models import (
    Blocks,
    Candidate,
    ModelStore,
    ReferenceProfile,
    build_reference,
    encode_columns,
    open_runner,
)
from gyroscope.models.blocks import block_starts
from gyroscope.models.runners import rehearse
from gyroscope.records import NotEnoughData, Signature

Made = Callable[[Any, Path], Candidate]
"""Train on a table, in a folder; what came of it."""


def reference_of(
    made: Made, table: Any, signature: Signature, blocks: Blocks, share: float
) -> ReferenceProfile | NotEnoughData:
    """What a twin, made of the older rows, says of the newest `share` of them, by whole windows of event time.

    `table` holds the rows as the user's function gets them, oldest first. Raises what the function raises.
    """
    times = np.array([event_time_of(moment) for moment in table.column("event_time").to_pylist()], np.int64)
    cut = _cut(times, blocks, share)
    if cut == 0:
        return NotEnoughData("all labelled rows are of one window")
    newer = table.slice(cut, len(times) - cut)
    columns = {feature.name: _column(newer, feature.name) for feature in signature.as_logged.features}
    with tempfile.TemporaryDirectory(prefix="gyroscope-twin-") as place:
        folder = Path(place)
        with contextlib.chdir(folder):  # a file that the function writes must not lie over the challenger's
            candidate = made(table.slice(0, cut), folder)
        store = ModelStore(folder)
        runner = open_runner(store, store.add(candidate, wall_now(), check=rehearse))
        outputs = runner.predict(encode_columns(candidate.signature, columns))
    return build_reference(signature, columns, outputs, _column(newer, "label"), times[cut:], blocks)


def _cut(times: NDArray[np.int64], blocks: Blocks, share: float) -> int:
    """The first row of the window in which the newest share begins: rows of one window agree with each other."""
    first = min(len(times) - 1, round(len(times) * (1 - share)))
    return int(np.searchsorted(times, block_starts(times[first : first + 1], blocks)[0]))


def _column(table: Any, name: str) -> NDArray[Any]:
    values = table.column(name).to_pylist()
    if any(isinstance(value, str) for value in values):
        return np.array(values, object)
    return np.array([np.nan if value is None else value for value in values], np.float64)
