"""Reference rows that `gyro models add --reference` reads: features, scores, labels and times out of one file.

Only `add` calls this. What the rows mean is judged in `gyroscope.models`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.clock import parse_event_time
from gyroscope.errors import ModelError, did_you_mean
from gyroscope.sources import read_columns

if TYPE_CHECKING:
    from gyroscope.models import Blocks, Candidate, ReferenceProfile


LARGEST_SECONDS = 253_402_300_800


class HeldOut(msgspec.Struct, frozen=True):
    """The words of the command line about a reference file."""

    path: Path
    score_columns: tuple[str, ...] = ()
    label_column: str = ""
    time_column: str = ""
    training_rows: Path | None = None
    is_promised: bool = False


class Judged(msgspec.Struct, frozen=True):
    """A reference, and what looks wrong with it."""

    reference: ReferenceProfile
    complaints: tuple[str, ...]


def judge(candidate: Candidate, held_out: HeldOut, blocks: Blocks, home: Path) -> Judged:
    """Read the rows, score them by the candidate itself, and say what looks wrong with them as a reference.

    What the signature hashes or drops is hashed or dropped in the reference too, by the key of `home`.

    Raises `ModelError` for a missing column, and what loading or running the model raises.
    """
    from gyroscope.models import build_reference, looks_in_sample
    from gyroscope.predictions.segments.privacy import Privacy, has_private, protect

    columns = read_columns(held_out.path)
    for name in (*held_out.score_columns, held_out.label_column, held_out.time_column):
        if name and name not in columns:
            raise ModelError(f"there is no column {name!r}", where=str(held_out.path), fix=did_you_mean(name, columns))
    features = {name: columns[name] for name in candidate.signature.names if name in columns}
    times = event_times(columns[held_out.time_column], held_out) if held_out.time_column else None
    own = None if candidate.runner == "external" else _own_outputs(candidate, features)
    outputs = _given_outputs(candidate, columns, held_out) if held_out.score_columns or own is None else own
    labels = columns[held_out.label_column] if held_out.label_column else None
    logged = protect(candidate.signature, features, Privacy.of(home)) if has_private(candidate.signature) else features
    reference = build_reference(candidate.signature, logged, outputs, labels, times, blocks)
    training = read_columns(held_out.training_rows) if held_out.training_rows else None
    complaints = looks_in_sample(
        features, outputs, times, own_outputs=own, training=training, is_promised=held_out.is_promised
    )
    return Judged(reference, tuple(complaints))


def _given_outputs(candidate: Candidate, columns: dict[str, NDArray[Any]], held_out: HeldOut) -> NDArray[np.float64]:
    if not held_out.score_columns:
        raise ModelError(
            "a model that is served elsewhere cannot score the reference here",
            where=str(held_out.path),
            fix="name the column with what it said: --score-column",
        )
    outputs = np.stack([columns[name] for name in held_out.score_columns], axis=1).astype(np.float64)
    return outputs if candidate.signature.task == "multiclass" or outputs.shape[1] != 1 else outputs[:, 0]


def _own_outputs(candidate: Candidate, features: dict[str, NDArray[Any]]) -> NDArray[np.float64]:
    """What the candidate says on these rows, before it is in the store: also the proof that it loads and answers."""
    import tempfile

    from gyroscope.clock import wall_now
    from gyroscope.models import ModelStore, encode_columns, open_runner
    from gyroscope.models.runners import rehearse

    with tempfile.TemporaryDirectory(prefix="gyroscope-candidate-") as folder:
        store = ModelStore(Path(folder))
        runner = open_runner(store, store.add(candidate, wall_now(), check=rehearse))
        return runner.predict(encode_columns(candidate.signature, features))


def event_times(column: NDArray[Any], held_out: HeldOut) -> NDArray[np.int64]:
    """Microseconds since 1970 from dates, ISO texts or epoch seconds."""
    where = f"{held_out.path}, column {held_out.time_column!r}"
    try:
        if column.dtype.kind in "iuf":
            # Dates come as microseconds: they pass 2.5e11 on 1970-01-03, seconds only in the year 9999.
            scale = 1 if np.all(np.abs(column) > LARGEST_SECONDS) else 1e6
            return np.array([_whole(value * scale) for value in column.tolist()], dtype=np.int64)
        return np.array([parse_event_time(str(value)) for value in column.tolist()], dtype=np.int64)
    except (ValueError, OverflowError) as error:
        raise ModelError(
            f"a time cannot be read: {error}", where=where, fix="ISO 8601 with its offset, or seconds since 1970"
        ) from error


def _whole(value: float) -> int:
    if value != value:
        raise ValueError("it is missing")
    return round(value)
