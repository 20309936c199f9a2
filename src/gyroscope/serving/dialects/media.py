"""What a request says its body is, and what it would like back: media types, read once from the headers.

Every `Service` asks here. JSON in its usual spellings is known by one look-up; anything else is taken apart.
"""

from __future__ import annotations

from collections.abc import Mapping

from gyroscope.errors import InputError

JSON = "application/json"
OCTETS = "application/octet-stream"
ARROW = "application/vnd.apache.arrow.stream"
CSV = "text/csv"

_USUAL = (b"application/json", b"", b"application/json; charset=utf-8", b"application/json;charset=utf-8")


def media_type(headers: Mapping[bytes, bytes]) -> str:
    """The media type of the body, without its parameters; a body that does not say is JSON.

    >>> media_type({b"content-type": b"Text/CSV; charset=UTF-8"})
    'text/csv'

    Raises `InputError`, status 415, for a charset other than UTF-8 and for any other parameter.
    """
    given = headers.get(b"content-type", b"")
    if given in _USUAL:
        return JSON
    media, *parameters = (part.strip() for part in given.decode("latin-1").lower().split(";"))
    for parameter in filter(None, parameters):
        name, _, value = parameter.partition("=")
        if name.strip() != "charset" or value.strip().strip('"') not in ("utf-8", "utf8"):
            raise InputError(
                f"the parameter {parameter[:80]!r} is not known", where="Content-Type", fix="charset=utf-8", status=415
            )
    return media or JSON


def unspoken(media: str, known: tuple[str, ...]) -> InputError:
    """The refusal of a media type.

    >>> unspoken("text/html", ("application/json",)).status
    415
    """
    return InputError(
        f"bodies of the type {media[:80]!r} are not accepted",
        where="Content-Type",
        fix=f"send {' or '.join(known)} (charset=utf-8)",
        status=415,
    )
