"""The reference of a trained challenger: what twins of it say of rows that they have not seen.

A trainer's process calls this when `retrain.folds` asks for it. The stretch of time is cut into folds of whole
windows; each is judged by a twin that the same function made of all others. The challenger has seen every row, so it
could not. The reference covers all that it learned from: a season that it knows is nothing unusual later.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from arro3.core import Table
from numpy.typing import NDArray

from gyroscope.clock import wall_now
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
from gyroscope.predictions.reading.columns import as_array, times_of
from gyroscope.records import NotEnoughData, Signature

Made = Callable[[Any, Path], Candidate]
"""Train on a table, in a folder; what came of it."""


def reference_of(
    made: Made, table: Any, signature: Signature, blocks: Blocks, folds: int
) -> ReferenceProfile | NotEnoughData:
    """What twins say of every row, each of a fold that it was not made of.

    `table` holds the rows as the user's function gets them, oldest first. Raises what the function raises.
    """
    times = times_of(table)
    cuts = _cuts(times, blocks, folds)
    if len(cuts) < folds + 1:
        return NotEnoughData(f"{folds} folds take as many windows with labelled rows at least")
    columns = {feature.name: as_array(table.column(feature.name)) for feature in signature.as_logged.features}
    outputs = [_outputs(made, table, columns, part) for part in pairwise(cuts)]
    return build_reference(signature, columns, np.concatenate(outputs), as_array(table.column("label")), times, blocks)


def _cuts(times: NDArray[np.int64], blocks: Blocks, folds: int) -> list[int]:
    """First row of each fold, and the end: whole windows, about as many in each. Rows of one window are alike."""
    firsts = np.unique(block_starts(times, blocks), return_index=True)[1]
    if len(firsts) < folds:
        return []
    return [int(part[0]) for part in np.array_split(firsts, folds)] + [len(times)]


def _outputs(made: Made, table: Any, columns: dict[str, NDArray[Any]], part: tuple[int, int]) -> NDArray[np.float64]:
    """What a twin of all other rows says of rows [first, end)."""
    first, end = part
    others = [*table.slice(0, first).to_batches(), *table.slice(end, table.num_rows - end).to_batches()]
    with tempfile.TemporaryDirectory(prefix="gyroscope-twin-") as place:
        folder = Path(place)
        with contextlib.chdir(folder):  # a file that the function writes must not lie over the challenger's
            candidate = made(Table.from_batches(others, schema=table.schema), folder)
        store = ModelStore(folder)
        runner = open_runner(store, store.add(candidate, wall_now(), check=rehearse))
        own = {name: column[first:end] for name, column in columns.items()}
        return runner.predict(encode_columns(candidate.signature, own))
