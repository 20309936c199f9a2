"""From the shapes that data frames take in JSON to rows: split, records, lists of rows, columns by name.

The MLflow dialect calls this. Every row is decoded into a type made of the features' types, so msgspec checks each
value, name and length in C. It never fills in what is missing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from types import GenericAlias
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.json import Decoder
from msgspec.structs import astuple

from gyroscope.errors import InputError
from gyroscope.models.runners import Rows
from gyroscope.serving.datatypes import value_type
from gyroscope.serving.intake import Intake
from gyroscope.serving.strict import decode

_FIRST = re.compile(rb"\s*(?P<outer>.)\s*(?P<inner>.)", re.DOTALL)


class FrameReader:
    """One signature's readers: types are made once, those for another order of columns when it is met."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        types = [value_type(feature) for feature in intake.features]
        keys = {f"f{i}": name for i, name in enumerate(intake.names)}
        record = msgspec.defstruct(
            "Record", list(zip(keys, types, strict=True)), rename=keys, forbid_unknown_fields=True
        )
        columns: list[tuple[str, Any]] = [
            (key, GenericAlias(list, kind)) for key, kind in zip(keys, types, strict=True)
        ]
        table = msgspec.defstruct("Columns", columns, rename=keys, forbid_unknown_fields=True)
        self._records: Decoder[list[Any]] = Decoder(list[record])  # type: ignore[valid-type]
        self._columns: Decoder[Any] = Decoder(table)
        self._scalars: Decoder[list[Any]] = Decoder(list[types[0]])  # type: ignore[valid-type]
        self._types = types
        self._signature_order = tuple(range(len(types)))
        # Bounded, because clients choose the order.
        self._rows_in = lru_cache(maxsize=64)(self._make_rows_decoder)

    def split(self, columns: Sequence[str], data: Raw, name: str) -> Rows:
        """Column names once, then rows of values."""
        order = self._intake.order(columns, lambda place: f"{name}.columns[{place}]", f"{name}.columns")
        return self._rows(data, tuple(order), f"{name}.data")

    def records(self, text: Raw, name: str) -> tuple[Rows, int]:
        """Objects of values by feature; and how many keys they have in all."""
        found = decode(self._records, text, name, self._intake.names)
        n = self._intake.count(len(found), name)
        return self._intake.from_rows([astuple(row) for row in found]), n * len(self._types)

    def any_form(self, text: Raw, name: str) -> tuple[Rows, int]:
        """What `instances` and `inputs` may be: rows, objects, an object of columns, or a lone feature's values."""
        head = _FIRST.match(memoryview(text))
        outer, inner = (head["outer"], head["inner"]) if head else (b"", b"")
        if outer == b"{":
            return self._by_column(text, name), len(self._types)
        if inner == b"{":
            return self.records(text, name)
        if inner == b"[" or len(self._types) > 1:
            return self._rows(text, self._signature_order, name), 0
        values = decode(self._scalars, text, name)
        self._intake.count(len(values), name)
        return self._intake.from_columns([values]), 0

    def _rows(self, text: Raw, order: tuple[int, ...], where: str) -> Rows:
        rows = decode(self._rows_in(order), text, where)
        self._intake.count(len(rows), where)
        return self._intake.from_rows(rows, None if order == self._signature_order else order)

    def _by_column(self, text: Raw, name: str) -> Rows:
        columns = astuple(decode(self._columns, text, name, self._intake.names))
        n = self._intake.count(len(columns[0]), f"{name}.{self._intake.names[0]}")
        for feature, values in zip(self._intake.names, columns, strict=True):
            if len(values) != n:
                raise InputError(f"{len(values)} values where the first feature has {n}", where=f"{name}.{feature}")
        return self._intake.from_columns(columns)

    def _make_rows_decoder(self, order: tuple[int, ...]) -> Decoder[list[Any]]:
        """Rows whose values come in the order of the client's columns."""
        types: list[Any] = [None] * len(order)
        for feature, place in enumerate(order):
            types[place] = self._types[feature]
        return Decoder(list[tuple[tuple(types)]])  # type: ignore[misc]
