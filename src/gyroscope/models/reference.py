"""References: what a version's held-out predictions looked like, as profiles and outcomes by block of event time.

Training, the command line and monitoring build one; the store keeps it beside its version.
It keeps no row, judges nothing, and never scores a model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.clock import EventTime
from gyroscope.errors import ModelError
from gyroscope.models.blocks import Blocks, block_starts
from gyroscope.records import Signature
from gyroscope.stats.performance import Outcomes, tally, tally_ranking
from gyroscope.stats.profiles import Layout, Profile, fit_layout, profile

FORMAT = 1
DAYS = Blocks()
DIGEST = re.compile(r"[0-9a-f]{16}")

Columns = Mapping[str, NDArray[Any]]


class ReferenceProfile(msgspec.Struct, frozen=True):
    """`windows` holds (start, profile, outcomes) of each block, oldest first; empty when no event times were given.

    `total` is the merge of all rows; rows without a label are in the profiles and not in the outcomes.
    """

    layout: Layout
    total: Profile
    windows: list[tuple[EventTime, Profile, Outcomes]]
    outcomes: Outcomes

    def to_bytes(self) -> bytes:
        """msgpack with a format number."""
        windows = [(start, part.to_bytes(), outcomes.to_bytes()) for start, part, outcomes in self.windows]
        return msgspec.msgpack.encode(_Stored(FORMAT, self.total.to_bytes(), self.outcomes.to_bytes(), windows))

    @classmethod
    def from_bytes(cls, content: bytes) -> ReferenceProfile:
        """Read what `to_bytes` wrote. Raises `ValueError` for anything else."""
        stored = msgspec.msgpack.decode(content, type=_Stored)
        if stored.format != FORMAT:
            raise ValueError(f"format {stored.format} of references is not known here, only {FORMAT}")
        parts = Profile.read_all([part for _, part, _ in stored.windows])
        windows = [
            (start, part, Outcomes.from_bytes(outcomes))
            for (start, _, outcomes), part in zip(stored.windows, parts, strict=True)
        ]
        total = Profile.from_bytes(stored.total)
        return cls(total.layout, total, windows, Outcomes.from_bytes(stored.outcomes))


class _Stored(msgspec.Struct, frozen=True, array_like=True):
    format: int
    total: bytes
    outcomes: bytes
    windows: list[tuple[EventTime, bytes, bytes]]


def build_reference(
    signature: Signature,
    columns: Columns,
    outputs: NDArray[np.float64],
    labels: NDArray[Any] | None,
    event_times: NDArray[np.int64] | None,
    blocks: Blocks = DAYS,
) -> ReferenceProfile:
    """Profile held-out predictions.

    Parameters
    ----------
    columns : what the log holds of the signature's features, (n,) each; text columns hold str or None, hashed ones
        digests (`predictions.privacy.protect` makes them). For a ranking without a `group` also `request_id`, which
        tells its lists apart; without it there are no outcomes.
    outputs : (n,) or (n, classes), what was predicted for these rows by a model that had not seen their block.
    labels : (n,) 0/1, class index or value; NaN (None) where the outcome is not known; None when none is.
    event_times : (n,) int64 microseconds; None makes a reference without windows.

    Raises `ModelError` when a feature is missing, lengths differ, a label is impossible, or a feature that must be
    hashed is not.
    """
    signature = signature.as_logged
    outputs = np.asarray(outputs, np.float64).reshape((-1, signature.width) if signature.width > 1 else -1)
    _check_lengths(signature, columns, outputs, labels, event_times)
    judged = {**_typed(signature, columns), **output_columns(signature, outputs)}
    values = _label_values(signature, labels, len(outputs))
    layout = fit_layout(judged)
    lists = judged[signature.group] if signature.group else columns.get("request_id")

    def part(rows: NDArray[np.intp]) -> tuple[Profile, Outcomes]:
        outcomes = _outcomes_of(signature, outputs[rows], values[rows], None if lists is None else lists[rows])
        return profile({name: column[rows] for name, column in judged.items()}, layout), outcomes

    total, outcomes = part(np.arange(len(outputs)))
    windows: list[tuple[EventTime, Profile, Outcomes]] = []
    if event_times is not None:
        for start, rows in _groups(block_starts(np.asarray(event_times, np.int64), blocks)):
            windows.append((EventTime(start), *part(rows)))
    return ReferenceProfile(layout, total, windows, outcomes)


def _outcomes_of(
    signature: Signature, outputs: NDArray[np.float64], values: NDArray[np.float64], lists: NDArray[Any] | None
) -> Outcomes:
    """Of rows with a label; of a ranking of the lists whose rows all have one."""
    if signature.task == "ranking":
        few = slice(0, 0) if lists is None else slice(None)
        names = np.empty(0) if lists is None else lists.astype(str)
        return tally_ranking(outputs[few], values[few], names)
    known = ~np.isnan(values)
    return tally(signature.task, outputs[known], values[known], threshold=signature.threshold, classes=signature.width)


def output_columns(signature: Signature, outputs: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """The outputs as columns to profile: `probability`, or `probability_0`, `probability_1` ... for classes."""
    if signature.width == 1:
        return {signature.output: outputs}
    return {f"{signature.output}_{k}": outputs[:, k] for k in range(signature.width)}


def _typed(signature: Signature, columns: Columns) -> dict[str, NDArray[Any]]:
    """Text as it is, everything else as float64 with NaN for missing, whatever the caller's dtype."""
    typed: dict[str, NDArray[Any]] = {}
    for feature in signature.features:
        column = np.ma.getdata(columns[feature.name])
        if feature.dtype == "string":
            typed[feature.name] = _texts(column)
            if feature.is_hashed:
                _check_digests(feature.name, typed[feature.name])
            continue
        try:
            typed[feature.name] = column.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise ModelError(
                f"column {feature.name!r} is {feature.dtype} in the signature and holds something else: {error}",
                where=f"reference, column {feature.name!r}",
                fix="turn it into numbers, or correct the signature",
            ) from error
        typed[feature.name][np.ma.getmaskarray(columns[feature.name])] = np.nan
    return typed


def _texts(column: NDArray[Any]) -> NDArray[Any]:
    texts = column.astype(object)
    texts[[value is None or value != value for value in texts]] = None
    return texts


def _check_digests(name: str, texts: NDArray[Any]) -> None:
    """A reference keeps the most frequent texts of a column: none of them may be a value that must not be kept."""
    if not all(text is None or (isinstance(text, str) and DIGEST.fullmatch(text)) for text in texts):
        raise ModelError(
            f"the feature {name!r} must be hashed before it comes into a reference",
            where=f"reference, column {name!r}",
            fix="pass the columns through gyroscope.predictions.segments.privacy.protect",
        )


def _check_lengths(
    signature: Signature,
    columns: Columns,
    outputs: NDArray[np.float64],
    labels: NDArray[Any] | None,
    event_times: NDArray[np.int64] | None,
) -> None:
    for name in signature.names:
        if name not in columns:
            raise ModelError(
                f"the reference has no column {name!r}", where="reference", fix="give all features of the signature"
            )
    n = len(outputs)
    if not n:
        raise ModelError("the reference has no rows", where="reference", fix="give held-out predictions")
    lengths = {**{name: len(columns[name]) for name in signature.names}}
    lengths |= {"labels": n if labels is None else len(labels)}
    lengths |= {"event times": n if event_times is None else len(event_times)}
    for name, length in lengths.items():
        if length != n:
            raise ModelError(
                f"{name!r} has {length} rows and the outputs have {n}", where="reference", fix="one of each per row"
            )


def _label_values(signature: Signature, labels: NDArray[Any] | None, n: int) -> NDArray[np.float64]:
    """Labels as float64, NaN where unknown; class names become their index."""
    if labels is None:
        return np.full(n, np.nan)
    index: dict[Any, float] = {name: float(at) for at, name in enumerate(signature.classes)}
    raw = np.array(np.ma.getdata(labels), dtype=object)
    raw[np.ma.getmaskarray(labels)] = None  # not `filled`: numpy fills objects with "?" whatever is asked for
    try:
        values = np.array([np.nan if value is None else index.get(value, value) for value in raw], np.float64)
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"a label is impossible: {error}", where="reference labels", fix="0/1, a class or a number"
        ) from error
    top = {"binary": 2, "multiclass": signature.width}.get(signature.task)
    known = values[~np.isnan(values)]
    odd = known[(known < 0) | (known >= top) | (known != np.floor(known))] if top else known[np.isinf(known)]
    if len(odd):
        raise ModelError(
            f"the label {odd[0]:g} is impossible for a {signature.task} model",
            where="reference labels",
            fix="0 or 1, a class, or a finite number",
        )
    return values


def _groups(starts: NDArray[np.int64]) -> list[tuple[int, NDArray[np.intp]]]:
    """(start, row numbers) of each block, oldest first."""
    order = np.argsort(starts, kind="stable")
    unique, first = np.unique(starts[order], return_index=True)
    return list(zip(unique.tolist(), np.split(order, first[1:]), strict=True))
