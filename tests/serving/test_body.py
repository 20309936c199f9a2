"""Bodies are put together whole, whatever the pieces, and refused when they are too large or no body."""

from __future__ import annotations

import pytest

from gyroscope.errors import InputError
from gyroscope.serving.body import ChunkedBody, SizedBody

CHUNKS = b"3\r\nabc\r\n0A;name=value\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n"


@pytest.mark.parametrize("step", [1, 2, 3, 7, 100])
@pytest.mark.parametrize(
    ("make", "sent", "content"),
    [(lambda: SizedBody(5), b"abcde", b"abcde"), (lambda: ChunkedBody(13), CHUNKS, b"abc0123456789")],
    ids=["sized", "chunked"],
)
def test_pieces_are_put_together_and_what_follows_is_left(make, sent, content, step):
    body, came, rest = make(), sent + b"GET /next", None
    while rest is None:
        piece, came = came[:step], came[step:]
        rest = body.feed(piece)
    assert (body.content, rest + came) == (content, b"GET /next")


def test_no_body_is_whole_at_once():
    body = SizedBody(0)
    assert (body.feed(b"GET"), body.content) == (b"GET", b"")
    assert ChunkedBody(0).feed(b"0\r\n\r\n") == b""


def test_one_byte_over_the_cap_is_refused_before_it_comes():
    with pytest.raises(InputError, match="larger than 12 bytes") as refusal:
        ChunkedBody(12).feed(CHUNKS[:10] + b"0A\r\n")
    assert refusal.value.status == 413


BROKEN = {
    "no number": b"xyz\r\n",
    "a sign": b"+3\r\nabc\r\n",
    "a prefix": b"0x3\r\nabc\r\n",
    "no size": b"\r\nabc",
    "a size of a terabyte": b"10000000000\r\n",
    "longer than it says": b"2\r\nabc\r\n",
    "an endless line": b"3;" + b"x" * 5_000,
    "bare line feeds": b"3\nabc\n" + b" " * 5_000,
    "endless lines behind it": b"0\r\nX: " + b"x" * 5_000,
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_chunk_is_refused(name):
    with pytest.raises(InputError) as refusal:
        ChunkedBody(1_000).feed(BROKEN[name])
    assert refusal.value.status == 400
