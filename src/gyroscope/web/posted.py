"""What a program posts to control: plain JSON of a known shape, or an answer that says what is wrong with it.

The pages of the API that take rows call this. It keeps nothing and knows no model.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec
from starlette.requests import Request

from gyroscope.errors import InputError

T = TypeVar("T")


async def plain_json(request: Request) -> bytes:
    """The body of a request that says it is JSON and is not compressed; else `InputError` with status 415."""
    content = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content != "application/json" or request.headers.get("content-encoding", "identity") != "identity":
        raise InputError("the body must be plain JSON", where="Content-Type", fix="send application/json", status=415)
    return await request.body()


def read_posted(body: bytes, shape: type[T], *, fix: str) -> T:
    """`body` as `shape`; `InputError` says what does not fit, and `fix` how it should look."""
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        raise InputError(str(error), where="the body", fix=fix) from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InputError(f"this is not JSON: {error}", where="the body", fix="mend it", status=400) from error
