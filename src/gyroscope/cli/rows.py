"""Rows for `gyro predict`, out of a file or from words, each value as the signature's type.

A CSV knows only texts, so the signature says what they are: "007" stays a text where a text is wanted.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from gyroscope.errors import InputError, did_you_mean
from gyroscope.records import Feature, Signature

BOOLS = {"true": True, "false": False, "1": True, "0": False}


def read_rows(path: Path, signature: Signature) -> list[list[Any]]:
    """Rows of a CSV file, or of a JSON file that holds a list of objects, in the signature's order; None where missing.

    Raises `InputError` with the line for a missing column or a value of another type.
    """
    try:
        if path.suffix.lower() == ".json":
            records = msgspec.json.decode(path.read_bytes(), type=list[dict[str, Any]])
            # Typed already: whether it fits is the server's to say.
            return [[record.get(name) for name in signature.names] for record in records]
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            _check_columns(reader.fieldnames or (), signature, str(path))
            return [_row(record, signature, f"{path}:{reader.line_num}") for record in reader]
    except (OSError, UnicodeDecodeError, csv.Error, msgspec.MsgspecError) as error:
        raise InputError(
            f"the rows cannot be read: {error}", where=str(path), fix="CSV with a header, or a JSON list"
        ) from error


def row_of_words(words: Sequence[str], signature: Signature) -> list[Any]:
    """One row from `name=value` words; what is not named is missing."""
    record = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or name not in signature.names:
            raise InputError(
                f"no feature is called {name!r}", where=f"--set {word}", fix=did_you_mean(name, signature.names)
            )
        record[name] = value
    return _row(record, signature, "--set")


def _check_columns(header: Sequence[str], signature: Signature, where: str) -> None:
    for name in signature.names:
        if name not in header:
            raise InputError(f"there is no column {name!r}", where=where, fix=did_you_mean(name, header))


def _row(record: Mapping[str, str], signature: Signature, where: str) -> list[Any]:
    return [_value(feature, record.get(feature.name), where) for feature in signature.features]


def _value(feature: Feature, value: str | None, where: str) -> Any:
    """A text as the feature's type; an empty one is a missing value."""
    if not value:
        return None
    if feature.dtype == "string":
        return value
    try:
        if feature.dtype == "bool":
            return BOOLS[value.lower()]
        return int(value) if feature.dtype == "int64" else float(value)
    except (ValueError, KeyError) as error:
        raise InputError(
            f"{value!r} is not a {feature.dtype}", where=f"{where} {feature.name}", fix="give a plain value"
        ) from error
