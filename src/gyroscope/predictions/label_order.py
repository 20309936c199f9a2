"""What makes a label valid, equal to another, and later than another.

Pure: `labels.py` asks for every label it is given. The order is total, so any arrival order ends with the same winner.
"""

from __future__ import annotations

import hashlib
import math
from typing import NamedTuple

from gyroscope.errors import LabelError
from gyroscope.records import Label, Signature

MAX_INTEGER = 2**63 - 1
ID_CHARACTERS = 512
WORDS = {"0": 0.0, "1": 1.0, "false": 0.0, "true": 1.0}


class Standing(NamedTuple):
    """Compares by age of the statement: an explicit version beats a time, a time beats plain arrival; ties by hash."""

    kind: int
    number: int
    tie: bytes


def read_value(label: Label, signature: Signature) -> float | str:
    """The label's value as it is kept: 0.0 or 1.0, the name of a class, or a finite number.

    Raises `LabelError` saying what the signature wants.

    >>> read_value(Label("r", "true"), Signature("binary", ()))
    1.0
    """
    if not 0 < len(label.request_id) <= ID_CHARACTERS or not _is_text(label.request_id):
        raise LabelError(f"request_id must have 1 to {ID_CHARACTERS} characters of Unicode text")
    if not 0 <= label.row <= MAX_INTEGER:
        raise LabelError(f"row {label.row} is not a row of a request")
    for order in (label.version, label.labeled_at):
        if order is not None and abs(order) > MAX_INTEGER:
            raise LabelError("version and labeled_at must fit into 64 bits")
    if signature.task == "multiclass":
        return _class(label.value, signature.classes)
    number = _number(label.value)
    if signature.task == "binary" and number not in (0.0, 1.0):
        raise LabelError(f"{label.value!r} is not 0, 1, true or false")
    if not math.isfinite(number):
        raise LabelError(f"{label.value!r} is not a finite number")
    return number + 0.0  # -0.0 and 0.0 are one statement


def digest(label: Label, value: float | str) -> bytes:
    """Equal for the same statement, however its value was spelled."""
    said = f"{value!r}|{label.version}|{label.labeled_at}|{label.row}|{label.request_id}"
    return hashlib.blake2b(said.encode("utf-8", "backslashreplace"), digest_size=16).digest()


def standing(label: Label, value: float | str, said: bytes, arrival: int) -> Standing:
    """Where the label stands among labels of its row.

    >>> late = standing(Label("r", 1.0, version=2), 1.0, b"", 0)
    >>> late > standing(Label("r", 1.0, version=1, labeled_at=99), 1.0, b"", 1)
    True
    """
    tie = hashlib.blake2b(repr(value).encode(), digest_size=8).digest() + said
    if label.version is not None:
        return Standing(2, label.version, tie)
    if label.labeled_at is not None:
        return Standing(1, label.labeled_at, tie)
    return Standing(0, arrival, tie)


def _is_text(words: str) -> bool:
    try:
        words.encode()
    except UnicodeEncodeError:
        return False
    return True


def _number(value: float | str) -> float:
    if not isinstance(value, str):
        return float(value)
    text = value.strip().lower()
    try:
        return WORDS[text] if text in WORDS else float(text)
    except ValueError:
        raise LabelError(f"{value[:80]!r} is not a number") from None


def _class(value: float | str, classes: tuple[str, ...]) -> str:
    text = value
    if not isinstance(value, str):
        text = str(int(value)) if math.isfinite(value) and value == int(value) else str(value)
    if text not in classes:
        raise LabelError(f"{str(value)[:80]!r} is not one of the classes {', '.join(classes[:20])}")
    return str(text)
