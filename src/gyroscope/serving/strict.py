"""JSON read as it stands: every complaint carries its path, nothing is coerced, no key counts twice.

The dialects and the intake decode through here. It knows msgspec's messages and nothing about models.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from gyroscope.errors import InputError, did_you_mean

T = TypeVar("T")
Text = bytes | msgspec.Raw

_COMPLAINT = re.compile(r"(?P<what>.*?)(?: - at `(?P<root>key in )?\$(?P<path>.*)`)?", re.DOTALL)
_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `(?P<name>.*)`", re.DOTALL)


def decode(decoder: msgspec.json.Decoder[T], text: Text, where: str = "", known: Iterable[str] = ()) -> T:
    """Decode one value found at `where`; `known` are the field names to suggest for an unknown one.

    >>> decode(msgspec.json.Decoder(list[float]), b'[1, "2"]', "inputs[0].data")
    Traceback (most recent call last):
    gyroscope.errors.InputError: expected float, got str
      where: inputs[0].data[1]

    Raises `InputError`: status 400 for what is no JSON, 422 for JSON of the wrong type.
    """
    try:
        return decoder.decode(text)
    except msgspec.ValidationError as error:
        raise _misfit(str(error), where, known) from None
    except msgspec.DecodeError as error:
        raise _malformed(str(error), where) from None
    except UnicodeDecodeError as error:
        raise _malformed(f"not UTF-8 ({error.reason})", where) from None
    except RecursionError:
        raise _malformed("nested too deeply", where) from None


def refuse_twin_keys(body: bytes, pairs: int) -> None:
    """Refuse an object that has one key twice: which of the two did the client mean?

    `pairs` is how many keys were understood. Every key has its colon, so when the body holds no more colons than that,
    there is no twin and the slow reading is spared; colons inside strings only cost time.

    Raises `InputError` naming the key.
    """
    if body.count(b":") == pairs:
        return
    try:
        json.loads(body.decode(), object_pairs_hook=_untwinned, parse_int=_skip, parse_float=_skip)
    except UnicodeDecodeError as error:
        raise _malformed(f"not UTF-8 (byte {error.start})", "") from None
    except json.JSONDecodeError as error:
        raise _malformed(f"{error.msg} (character {error.pos})", "") from None
    except RecursionError:
        raise _malformed("nested too deeply", "") from None


def _misfit(message: str, where: str, known: Iterable[str]) -> InputError:
    parts = _COMPLAINT.fullmatch(message)
    what, path = (parts["what"], parts["path"] or "") if parts else (message, "")
    unknown = _UNKNOWN_FIELD.fullmatch(what)
    fix = did_you_mean(unknown["name"], known) if unknown else ""
    readable = what.replace("`", "")
    return InputError(readable[:1].lower() + readable[1:], where=(where + path).lstrip("."), fix=fix)


def _malformed(what: str, where: str) -> InputError:
    return InputError(f"malformed JSON: {what}", where=where, status=400)


def _untwinned(pairs: list[tuple[str, Any]]) -> None:
    seen = set()
    for key, _ in pairs:
        if key in seen:
            raise InputError(f"the key {key!r} appears twice in one object", status=400)
        seen.add(key)


def _skip(number: str) -> None:
    return None
