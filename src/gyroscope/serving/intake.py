"""From values that a client sent to the rows that a model takes, by the signature alone.

The dialects hand over decoded values; names, numbers of rows and what types cannot say are checked here. It parses no
JSON and calls no model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gyroscope.errors import InputError, did_you_mean
from gyroscope.models.runners import Rows
from gyroscope.records import Feature, Signature

MAX_ROWS = 10_000
"""Rows of one request: more belong in a batch, and would hold up everybody behind them."""

Where = Callable[[int, int], str]
"""(row, column of the signature) -> path inside the body; called only to complain."""

_FLOAT32_MAX = 3.4028234663852886e38
_WHOLE = 2.0**53


class Intake:
    """One signature, ready to take rows."""

    def __init__(self, signature: Signature) -> None:
        self.features = signature.features
        self.names = signature.names
        self.index = {name: i for i, name in enumerate(self.names)}
        self.strings = [i for i, feature in enumerate(self.features) if feature.dtype == "string"]
        self.is_nullable = any(feature.nullable for feature in self.features)
        self._codes = {i: _codes(self.features[i].categories) for i in self.strings}
        # Then a number, or a null where any is allowed, is all there is to check, and its type has seen to that.
        self.is_plain = len({(feature.dtype, feature.nullable) for feature in self.features}) == 1 and (
            self.features[0].dtype == "float64"
        )

    def order(self, given: Sequence[str], where: Callable[[int], str], whole: str) -> list[int]:
        """For each feature of the signature, at which place of `given` it is. `whole` is the path of the whole list.

        Raises `InputError` for a name that is unknown, doubled or missing.
        """
        if tuple(given) == self.names:
            return list(range(len(given)))
        places: dict[str, int] = {}
        for place, name in enumerate(given):
            if name not in self.index:
                raise InputError(
                    f"no feature is called {name!r}", where=where(place), fix=did_you_mean(name, self.names)
                )
            if name in places:
                raise InputError(f"the feature {name!r} appears twice", where=where(place), fix="send it once")
            places[name] = place
        missing = [name for name in self.names if name not in places]
        if missing:
            raise InputError(f"missing {_listed(missing)}", where=whole, fix="send every feature of the signature")
        return [places[name] for name in self.names]

    def count(self, rows: int, where: str) -> int:
        """The number of rows, when it is one we take. Raises `InputError`."""
        if rows < 1:
            raise InputError("there are no rows", where=where, fix="send at least one")
        if rows > MAX_ROWS:
            raise InputError(
                f"{rows:,} rows are more than the {MAX_ROWS:,} of one request", where=where, fix="split it", status=413
            )
        return rows

    def from_rows(self, rows: Sequence[Sequence[Any]], order: Sequence[int] | None = None) -> Rows:
        """Rows of values that are of their features' types; `order` as `order()` gives it when not the signature's."""
        if self.strings:
            columns = list(zip(*rows, strict=True))
            return self.from_columns([columns[place] for place in order] if order is not None else columns)
        matrix = np.array(rows, dtype=np.float64)
        return Rows(matrix if order is None else np.ascontiguousarray(matrix[:, list(order)]))

    def from_columns(self, columns: Sequence[Sequence[Any] | NDArray[Any]]) -> Rows:
        """One sequence of values per feature, in the signature's order, all of one length."""
        coded = list(columns)
        unseen: list[tuple[int, int, str]] = []
        for i in self.strings:
            known = self._codes[i]
            coded[i] = [known.get(value, np.nan) for value in columns[i]]
            if not known.keys() >= set(columns[i]):
                unseen += [(row, i, value) for row, value in enumerate(columns[i]) if value not in known]
        return Rows(np.ascontiguousarray(np.array(coded, dtype=np.float64).T), tuple(sorted(unseen)))

    def from_matrix(self, matrix: NDArray[np.float64], where: Where) -> Rows:
        """Numbers in the signature's order, NaN where there was none; each column must be what its feature is.

        Raises `InputError` naming the first value that is not.
        """
        if not self.is_plain:
            self.check(matrix, where)
        return Rows(matrix)

    def from_unchecked(self, matrix: NDArray[np.float64], where: Where) -> Rows:
        """As `from_matrix`, for numbers that no decoder has seen: infinity is refused, a NaN stands for null.

        Raises `InputError` naming the first value that is not what its feature is.
        """
        if not (self.is_plain and np.isfinite(matrix).all()):
            self.check(matrix, where)
        return Rows(matrix)

    def check(self, matrix: NDArray[np.float64], where: Where) -> None:
        """Raises `InputError` naming the first value that is not what its feature is; texts have been looked up."""
        for i, feature in enumerate(self.features):
            if feature.dtype == "string":
                continue
            column = matrix[:, i]
            missing = np.isnan(column)
            _refuse(np.isinf(column), i, where, f"{feature.name!r} must be finite")
            if not feature.nullable:
                _refuse(missing, i, where, f"{feature.name!r} may not be null")
            if feature.dtype == "float32":
                _refuse(np.abs(column) > _FLOAT32_MAX, i, where, f"{feature.name!r} is out of range for float32")
            elif feature.dtype == "int64":
                # The comparison is false for NaN, so a missing value passes here.
                broken = (np.abs(column) > _WHOLE) | (np.trunc(column) != column) & ~missing
                _refuse(broken, i, where, f"{feature.name!r} must be a whole number within 2^53")
            elif feature.dtype == "bool":
                _refuse(~missing & (column != 0) & (column != 1), i, where, f"{feature.name!r} must be 0 or 1")


def refuse_null_text(feature: Feature, texts: Sequence[str | None], where: Callable[[int], str]) -> None:
    """Raises `InputError` for a missing text where none may be; numbers are checked as a matrix."""
    if not feature.nullable and None in texts:
        raise InputError(f"{feature.name!r} may not be null", where=where(texts.index(None)))


def _codes(categories: Sequence[str]) -> dict[str | None, float]:
    return {None: np.nan, **{name: float(code) for code, name in enumerate(categories)}}


def _refuse(wrong: NDArray[np.bool_], column: int, where: Where, what: str) -> None:
    if wrong.any():
        raise InputError(what, where=where(int(wrong.argmax()), column))


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
