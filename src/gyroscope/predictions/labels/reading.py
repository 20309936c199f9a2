"""Labels as programs and files send them, read into columns; what cannot be read costs its own row alone.

The API and the sources call it. What a value may be is not asked here: that is the signature's to say.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import msgspec

from gyroscope.clock import SECOND_US, EventTime, parse_event_time
from gyroscope.predictions.labels.columns import LabelColumns
from gyroscope.records import Label

EARLIEST_S, LATEST_S = -62_135_596_800, 253_402_300_800
Unread = tuple[int, str, str]
"""Place among the rows, the row's text, the reason."""


class LabelIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One outcome as it is sent. Times: ISO 8601 or seconds since 1970. Whole numbers stay whole: for classes."""

    value: int | float | str | bool
    request_id: Annotated[str, msgspec.Meta(max_length=256)] = ""
    row: Annotated[int, msgspec.Meta(ge=0, lt=2**31)] = 0
    labeled_at: str | float | None = None
    version: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None = None
    entity_key: Annotated[str, msgspec.Meta(max_length=256)] = ""
    event_time: str | float | None = None


class Read(msgspec.Struct, frozen=True):
    """What could be read, with the places it had, and what could not."""

    labels: LabelColumns
    unread: list[Unread] = []


def read_rows(rows: Sequence[Mapping[str, Any]]) -> Read:
    """Rows that are mappings already, as files give them."""
    try:
        return read_labels(msgspec.convert(rows, list[LabelIn]))
    except (msgspec.ValidationError, ValueError, OverflowError):
        return _one_by_one(rows, lambda row: msgspec.convert(row, LabelIn), _text)


def read_raw(rows: Sequence[msgspec.Raw]) -> Read:
    """Rows of a body in which some are wrong."""
    return _one_by_one(
        rows, lambda row: msgspec.json.decode(row, type=LabelIn), lambda row: bytes(row).decode("utf-8", "replace")
    )


def read_labels(labels: Sequence[LabelIn]) -> Read:
    """Rows that are all of the right form. Raises `ValueError` when one of them has no time that can be read."""
    times: dict[str | float, EventTime] = {}
    entities = [label.entity_key for label in labels]
    return Read(
        LabelColumns(
            [label.request_id for label in labels],
            [_value(label.value) for label in labels],
            [label.row for label in labels],
            _known([label.version for label in labels]),
            _known([_time(label.labeled_at, times) for label in labels]),
            entities if any(entities) else None,
            _known([_time(label.event_time, times) for label in labels]),
        )
    )


def _one_by_one(rows: Sequence[Any], read: Callable[[Any], LabelIn], text: Callable[[Any], str]) -> Read:
    found: list[LabelIn] = []
    places: list[int] = []
    unread: list[Unread] = []
    for place, row in enumerate(rows):
        try:
            label = read(row)
            read_labels([label])
            found.append(label)
            places.append(place)
        except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
            unread.append((place, text(row), str(error)))
    return Read(msgspec.structs.replace(read_labels(found).labels, numbers=places), unread)


def _value(value: float | str | bool) -> float | str:
    return float(value) if isinstance(value, bool) else value


def _time(said: str | float | None, known: dict[str | float, EventTime]) -> EventTime | None:
    """Labels that come together often share their time: each is read once."""
    if said is None:
        return None
    if said not in known:
        known[said] = (
            EventTime(round(said * SECOND_US))
            if isinstance(said, float) and EARLIEST_S <= said < LATEST_S
            else parse_event_time(str(said))
        )
    return known[said]


def _known(column: list[Any]) -> list[Any] | None:
    return None if column.count(None) == len(column) else column


def _text(row: object) -> str:
    return json.dumps(row, default=str)


def as_sent(label: Label) -> str:
    """A label as JSON, for those who look for who sent it."""
    return _text({name: value for name, value in msgspec.structs.asdict(label).items() if value not in (None, "")})
