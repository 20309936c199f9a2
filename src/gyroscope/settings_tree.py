"""A tree of sections: read from plain YAML values with line and did-you-mean, described line by line.

`settings.py` declares the sections and calls this. It knows no setting and reads no file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, get_args, get_origin

import msgspec

from gyroscope.errors import SettingsError, did_you_mean
from gyroscope.yaml_file import Place

MODEL_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")

SectionT = TypeVar("SectionT", bound=msgspec.Struct)


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the file: unknown keys are refused."""


class Setting(NamedTuple):
    """One line of the file, described: `default` is None for a mapping that holds others."""

    name: str
    kind: str
    default: Any
    about: str


def read_tree(kind: type[SectionT], plain: Any, place: Place) -> SectionT:
    """Walk the tree so that every complaint carries its own line; a section left empty is all defaults."""
    if not isinstance(plain, dict | None):
        what = place.dotted or "the file"
        raise SettingsError(f"{what} must be a mapping of keys", where=str(place), fix="indent its keys under it")
    fields = {field.name: field.type for field in msgspec.structs.fields(kind)}
    values = {}
    for key, value in (plain or {}).items():
        there = place.child(key)
        if key not in fields:
            raise SettingsError(
                f"no setting is called {there.dotted}", where=str(there), fix=did_you_mean(str(key), fields)
            )
        values[key] = _read_field(fields[key], value, there)
    return kind(**values)


def _read_field(kind: Any, value: Any, place: Place) -> Any:
    section = _section_of(kind)
    if section is None:
        return _convert(kind, value, place)
    return read_tree(section, value, place) if section is kind else _read_named(section, value, place)


def _convert(kind: Any, value: Any, place: Place) -> Any:
    if value is False and "off" in _choices(kind):
        value = "off"  # YAML takes the bare word for a false
    if isinstance(value, dict):  # and a bare 2013-12-24 for a date
        value = {key: each.isoformat() if isinstance(each, date) else each for key, each in value.items()}
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise SettingsError(
            f"wrong value {value!r} for {place.dotted}", where=str(place), fix=f"give it a {_kind_text(kind)}"
        ) from error


def _read_named(section: type[SectionT], value: Any, place: Place) -> dict[str, SectionT]:
    if not isinstance(value, dict | None):
        raise SettingsError(
            f"{place.dotted} must map names to policies", where=str(place), fix="models: {flights: {replicas: 2}}"
        )
    policies = {}
    for name, policy in (value or {}).items():
        if not (isinstance(name, str) and MODEL_NAME.fullmatch(name)):
            raise SettingsError(
                f"{name!r} is no name",
                where=str(place.child(name)),
                fix="1 to 63 of a-z, 0-9, '-' and '_', starting with a letter or digit",
            )
        policies[name] = read_tree(section, policy, place.child(name))
    return policies


def describe_tree(kind: type[msgspec.Struct], prefix: str = "") -> Iterator[Setting]:
    """Every setting in the order of the file, sections before what they hold.

    >>> from gyroscope.settings import Door
    >>> [setting.name for setting in describe_tree(Door, "door.")][:2]
    ['door.host', 'door.port']
    """
    for field in msgspec.structs.fields(kind):
        section = _section_of(field.type)
        if section is None:
            about = next(meta.description for meta in field.type.__metadata__ if meta.description)
            default = field.default_factory() if callable(field.default_factory) else field.default
            yield Setting(f"{prefix}{field.name}", _kind_text(field.type), default, about)
            continue
        about = (section.__doc__ or "").strip()
        name = f"{prefix}{field.name}" if section is field.type else f"{prefix}{field.name}.<name>"
        yield Setting(name, "section", None, about)
        yield from describe_tree(section, f"{name}.")


def _section_of(kind: Any) -> type[msgspec.Struct] | None:
    """The section a field holds, by itself or by name; None for a plain value."""
    if get_origin(kind) is dict:
        kind = get_args(kind)[1]
    return kind if isinstance(kind, type) and issubclass(kind, msgspec.Struct) else None


def _choices(kind: Any) -> tuple[Any, ...]:
    plain = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    return get_args(plain) if get_origin(plain) is Literal else ()


def _kind_text(kind: Any) -> str:
    """What may be written, in words.

    >>> from msgspec import Meta
    >>> _kind_text(Annotated[int, Meta(ge=1, le=5)])
    'whole number, 1 to 5'
    """
    plain, *metas = get_args(kind) if get_origin(kind) is Annotated else (kind,)
    if get_origin(plain) is Literal:
        return "choice of " + ", ".join(map(str, get_args(plain)))
    words: dict[Any, str] = {int: "whole number", float: "number", bool: "true or false", str: "text"}
    words |= {dict[str, str]: "texts by name", int | float | str: "number or text"}
    words[tuple[float, ...]] = "list of numbers"
    if get_origin(plain) is dict and get_args(plain)[1] is float:
        return "numbers by name: " + ", ".join(get_args(get_args(plain)[0]))
    if get_origin(plain) is tuple and get_origin(get_args(plain)[0]) is Annotated:
        return f"list, each {_kind_text(get_args(plain)[0])}"
    if sections := [section for kind in get_args(plain) if (section := _section_of(kind))]:
        names = ", ".join(field.name for field in msgspec.structs.fields(sections[0]))
        return f"{_kind_text(get_args(plain)[0])}, or {{{names}}}"
    limits = [meta for meta in metas if meta.ge is not None]
    text = words.get(plain, "list of texts")
    return f"{text}, {limits[0].ge:g} to {limits[0].le:.12g}" if limits else text
