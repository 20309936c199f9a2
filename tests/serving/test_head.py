"""A head says one thing or is refused: what two parsers could read in two ways never gets a body."""

from __future__ import annotations

import pytest

from gyroscope.errors import InputError
from gyroscope.serving.head import MAX_HEADERS, read_head


def head(*lines: bytes, first: bytes = b"POST /invocations HTTP/1.1") -> bytes:
    return b"\r\n".join((first, *lines, b"", b""))


def test_what_a_head_says():
    found = read_head(head(b"HOST: x", b"X-Request-Id:  a ", b"Content-Length: 12", b"Expect: 100-Continue"))
    assert (found.method, found.path, found.length) == ("POST", "/invocations", 12)
    assert (found.keeps, found.expects) == (True, True)
    assert found.headers[b"x-request-id"].strip() == b"a"


@pytest.mark.parametrize(
    ("url", "path"),
    [
        (b"/v2/health", "/v2/health"),
        (b"/v2%2Fhealth?x=%00", "/v2/health"),
        (b"http://other/v2", "/v2"),
        (b"/%ff", "/�"),
    ],
)
def test_the_path_is_decoded_and_the_query_left_out(url, path):
    assert read_head(head(b"Host: x", first=b"GET " + url + b" HTTP/1.1")).path == path


@pytest.mark.parametrize(
    ("first", "line", "keeps"),
    [
        (b"GET / HTTP/1.1", b"Connection: close", False),
        (b"GET / HTTP/1.1", b"Connection: Close, TE", False),
        (b"GET / HTTP/1.1", b"Connection: keep-alive", True),
        (b"GET / HTTP/1.0", b"Connection: keep-alive", False),
        (b"GET / HTTP/1.1", b"Connection: Upgrade\r\nUpgrade: h2c", True),
    ],
)
def test_who_may_send_another_request(first, line, keeps):
    assert read_head(head(b"Host: x", line, first=first)).keeps is keeps


def test_chunks_have_no_length():
    assert read_head(head(b"Host: x", b"Transfer-Encoding: chunked")).length is None


REFUSED = {
    "nonsense": (b"\x16\x03\x01 hello\r\n\r\n", 400),
    "no version": (b"GET /\r\n\r\n", 400),
    "HTTP/2": (head(b"Host: x", first=b"GET / HTTP/2.0"), 400),
    "no host": (head(b"Content-Length: 1"), 400),
    "two lengths": (head(b"Host: x", b"Content-Length: 1", b"Content-Length: 2"), 400),
    "a length and chunks": (head(b"Host: x", b"Content-Length: 1", b"Transfer-Encoding: chunked"), 400),
    "chunks and a length": (head(b"Host: x", b"Transfer-Encoding: chunked", b"Content-Length: 1"), 400),
    "a length with a sign": (head(b"Host: x", b"Content-Length: +1"), 400),
    "a negative length": (head(b"Host: x", b"Content-Length: -1"), 400),
    "a length beyond 64 bits": (head(b"Host: x", b"Content-Length: 99999999999999999999"), 400),
    "a blank before the colon": (head(b"Host: x", b"Content-Length : 1"), 400),
    "a folded line": (head(b"Host: x", b"X-A: 1", b" 2", b"Content-Length: 1"), 400),
    "a zero byte": (head(b"Host: x", b"X-A: \x001"), 400),
    "bare line feeds": (b"GET / HTTP/1.1\nHost: x\n\nGET / HTTP/1.1\r\n\r\n", 400),
    "another coding": (head(b"Host: x", b"Transfer-Encoding: gzip, chunked"), 501),
    "chunks of HTTP/1.0": (head(b"Transfer-Encoding: chunked", first=b"POST / HTTP/1.0"), 501),
    "too many": (head(b"Host: x", *(b"X-%d: 1" % n for n in range(MAX_HEADERS))), 431),
    "half an end": (b"GET / HTTP/1.1\r\nHost: x\r\n\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "no end": (b"GET / HTTP/1.1\r\nHost: x\r\n", 400),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_unclear_is_refused(name):
    text, status = REFUSED[name]
    with pytest.raises(InputError) as refusal:
        read_head(text)
    assert refusal.value.status == status
