"""What makes a label valid, and later than another.

Pure: `labels.py` asks. The order is total, so any arrival order of labels with versions or times ends with the same
winner.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from typing import TypeVar

import msgspec

from gyroscope.errors import LabelError
from gyroscope.records import Label, Signature

MAX_INTEGER = 2**63 - 1
ID_CHARACTERS = 512
WORDS = {"0": 0.0, "1": 1.0, "false": 0.0, "true": 1.0}
SHOWN_CLASSES = 20
SHOWN_CHARACTERS = 80


class Statement(msgspec.Struct):
    """What was said about one row: what two labels of a row are compared by. `arrival` numbers what was received."""

    arrival: int
    value: float | str
    version: int | None = None
    labeled_at: int | None = None

    def age(self) -> tuple[int, int]:
        """An explicit version beats a time, a time beats plain arrival."""
        if self.version is not None:
            return 2, self.version
        return (0, self.arrival) if self.labeled_at is None else (1, self.labeled_at)

    def tie(self) -> bytes:
        """Among statements of one age the greatest wins: by the hash of the value, then of all that was said."""
        everything = repr((self.value, self.version, self.labeled_at))
        return _hash(repr(self.value)) + _hash(everything)


StatementT = TypeVar("StatementT", bound=Statement)


def latest(statements: Iterable[StatementT]) -> StatementT:
    """The one that counts among statements about one row.

    >>> latest([Statement(1, 1.0, version=2), Statement(2, 0.0, version=1, labeled_at=99)]).value
    1.0
    """
    every = list(statements)
    newest = max(statement.age() for statement in every)
    rivals = [statement for statement in every if statement.age() == newest]
    return rivals[0] if len(rivals) == 1 else max(rivals, key=Statement.tie)


def read_value(label: Label, signature: Signature) -> float | str:
    """The label's value as it is kept: 0.0 or 1.0, the name of a class, a relevance of 0 or more, or a finite number.

    Numbers are float64: a whole number beyond 2**53 is kept as the nearest one that float64 has.
    Raises `LabelError` saying what the signature wants.

    >>> read_value(Label("r", "true"), Signature("binary", ()))
    1.0
    >>> read_value(Label("r", 9007199254740993), Signature("regression", ()))
    9007199254740992.0
    """
    _check_name(label)
    for order in (label.version, label.labeled_at, label.event_time):
        if order is not None and abs(order) > MAX_INTEGER:
            raise LabelError("version, labeled_at and event_time must fit into 64 bits")
    if not isinstance(label.value, (int, float, str)):
        raise LabelError("there is no value")
    if signature.task == "multiclass":
        return _class(label.value, signature.classes)
    number = _number(label.value)
    if signature.task == "binary" and number not in (0.0, 1.0):
        raise LabelError(f"{_shown(label.value)} is not 0, 1, true or false")
    if not math.isfinite(number):
        raise LabelError(f"{_shown(label.value)} is not a finite number")
    if signature.task == "ranking" and number < 0:
        raise LabelError(f"{_shown(label.value)} is no relevance: 0 for a row of no use, above 0 for one that is")
    return number + 0.0  # -0.0 and 0.0 are one statement


def _check_name(label: Label) -> None:
    if label.request_id and label.entity_key:
        raise LabelError("a label names its prediction by request_id or by entity_key, not by both")
    if label.event_time is not None and not label.entity_key:
        raise LabelError("event_time belongs to an entity_key; a request_id names one prediction without it")
    name, kind = (label.entity_key, "entity_key") if label.entity_key else (label.request_id, "request_id")
    if not 0 < len(name) <= ID_CHARACTERS or not _is_text(name):
        raise LabelError(f"{kind} must have 1 to {ID_CHARACTERS} characters of Unicode text without zeros")
    if not 0 <= label.row <= MAX_INTEGER:
        raise LabelError(f"row {label.row} is not a row of a request")


def _is_text(words: str) -> bool:
    try:
        words.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in words


def _number(value: float | str) -> float:
    try:
        if not isinstance(value, str):
            return float(value)
        text = value.strip().lower()
        return WORDS[text] if text in WORDS else float(text)
    except (ValueError, OverflowError):
        raise LabelError(f"{_shown(value)} is not a number") from None


def _class(value: float | str, classes: tuple[str, ...]) -> str:
    text = value
    if not isinstance(value, str):
        text = str(int(value)) if math.isfinite(value) and value == int(value) else str(value)
    if text not in classes and isinstance(value, str):
        text = _as_whole(value)
    if text not in classes:
        raise LabelError(f"{_shown(value)} is not one of the classes {', '.join(classes[:SHOWN_CLASSES])}")
    return str(text)


def _as_whole(text: str) -> str:
    """A class that is a whole number, out of a file that writes it as 1.0."""
    try:
        return str(int(float(text))) if float(text) == int(float(text)) else text
    except (ValueError, OverflowError):
        return text


def _shown(value: float | str) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=8).digest()
