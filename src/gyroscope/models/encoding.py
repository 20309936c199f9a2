"""From columns to the matrix that runners take, and back, by the categories of a signature.

Offline scoring, conversion and checks call this; serving parses requests itself into the same `Rows`.
It never guesses: a text outside the categories is kept as unseen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gyroscope.errors import InputError
from gyroscope.models.runners import Rows
from gyroscope.records import Feature, Signature

EXACT_INTEGER = 1 << 53
"""Beyond it two neighbours are one float64."""


def category_codes(feature: Feature) -> dict[str, float]:
    """The code of each category: its place in the signature.

    >>> category_codes(Feature("carrier", "string", ("AA", "UA")))
    {'AA': 0.0, 'UA': 1.0}
    """
    return {category: float(code) for code, category in enumerate(feature.categories)}


def encode_columns(signature: Signature, columns: Mapping[str, NDArray[Any]]) -> Rows:
    """Rows for a runner. Masked, None and NaN are missing.

    >>> signature = Signature("binary", (Feature("carrier", "string", ("AA", "UA")),))
    >>> encode_columns(signature, {"carrier": np.array(["UA", "ZZ", None], object)}).unseen
    ((1, 0, 'ZZ'),)

    Raises `InputError` for a missing column, a text where a number belongs, or a missing value that is not allowed.
    """
    unseen: list[tuple[int, int, str]] = []
    encoded = []
    for at, feature in enumerate(signature.features):
        if feature.name not in columns:
            raise InputError(
                f"column {feature.name!r} is missing", where=feature.name, fix=f"give {', '.join(signature.names)}"
            )
        column = columns[feature.name]
        is_missing = _missing(column)
        if is_missing.any() and not feature.nullable:
            raise InputError(
                f"column {feature.name!r} may not be missing and is in row {int(is_missing.argmax())}",
                where=feature.name,
                fix="fill it, or write nullable: true",
            )
        if feature.dtype == "string":
            encoded.append(_codes(feature, at, column, is_missing, unseen))
        else:
            encoded.append(_numbers(feature, column, is_missing))
    return Rows(np.ascontiguousarray(np.stack(encoded, axis=1)), tuple(unseen))


def decode_column(signature: Signature, at: int, rows: Rows) -> NDArray[np.object_]:
    """One text column out of rows: the category, the unseen text, or None."""
    categories = np.array([*signature.features[at].categories, None], dtype=object)
    codes = rows.matrix[:, at]
    texts: NDArray[np.object_] = categories[np.where(np.isnan(codes), -1, codes).astype(np.int64)]
    for row, column, text in rows.unseen:
        if column == at:
            texts[row] = text
    return texts


def _missing(column: NDArray[Any]) -> NDArray[np.bool_]:
    mask = np.ma.getmaskarray(column)
    values = np.ma.getdata(column)
    if values.dtype.kind == "f":
        return np.asarray(mask | np.isnan(values), bool)
    if values.dtype.kind == "O":
        return np.logical_or(mask, [value is None or value != value for value in values])
    return np.asarray(mask, bool)


def _codes(
    feature: Feature,
    at: int,
    column: NDArray[Any],
    is_missing: NDArray[np.bool_],
    unseen: list[tuple[int, int, str]],
) -> NDArray[np.float64]:
    known = category_codes(feature)
    codes = np.full(len(column), np.nan)
    for row, value in enumerate(np.ma.getdata(column).tolist()):
        if is_missing[row]:
            continue
        if not isinstance(value, str):
            raise InputError(f"{value!r} in row {row} is not a text", where=feature.name, fix="send a text")
        if value in known:
            codes[row] = known[value]
        else:
            unseen.append((row, at, value))
    return codes


def _numbers(feature: Feature, column: NDArray[Any], is_missing: NDArray[np.bool_]) -> NDArray[np.float64]:
    values = np.ma.getdata(column)
    if values.dtype.kind in "iu" and len(values) and max(int(values.max()), -int(values.min())) > EXACT_INTEGER:
        raise InputError(
            f"column {feature.name!r} holds whole numbers beyond 2^53, which models cannot tell apart",
            where=feature.name,
            fix="send ids as texts, or leave them out",
        )
    numbers = np.full(len(values), np.nan)
    try:
        numbers[~is_missing] = values[~is_missing].astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"column {feature.name!r} holds something that is not {feature.dtype}: {error}",
            where=feature.name,
            fix="send numbers",
        ) from error
    return numbers
