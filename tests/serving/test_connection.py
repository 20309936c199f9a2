"""Requests as they come over a real socket: in pieces, in a row, too slowly, or not at all as they should be."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re

import numpy as np
import pytest

from gyroscope.clock import SECOND_NS, MachineTime, machine_now
from gyroscope.serving import connection
from gyroscope.serving.connection import Connection
from gyroscope.serving.http import Http
from gyroscope.serving.keys import ApiKeys
from gyroscope.serving.line import Line
from gyroscope.serving.plane import Limits

ASK = b"/v2/models/flights/infer"
PAGE = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n"
LIVE = b'{"live":true}'


def body(*values: float) -> bytes:
    tensor = {"name": "x", "shape": [len(values) // 3, 3], "datatype": "FP64", "data": values}
    return json.dumps({"inputs": [tensor]}).encode()


def head(*lines: bytes, path: bytes = ASK, key: bytes = b"key") -> bytes:
    first = (b"POST " + path + b" HTTP/1.1", b"Host: x", b"Authorization: Bearer " + key)
    return b"\r\n".join((*first, *lines, b"", b""))


def request(content: bytes, *lines: bytes, **more: bytes) -> bytes:
    return head(b"Content-Length: %d" % len(content), *lines, **more) + content


ONE, TWO = body(1, 2, 3), body(4, 5, 6)


class Client:
    """One end of a connection; the other is a real one."""

    def __init__(self, http, path):
        self.http, self._path = http, path

    async def __aenter__(self):
        self._reader, self.writer = await asyncio.open_unix_connection(str(self._path))
        return self

    async def __aexit__(self, *about):
        self.writer.transport.abort()  # a close would wait for what the other side does not read

    async def send(self, data, step=0):
        for at in range(0, len(data), step or len(data)):
            self.writer.write(data[at : at + (step or len(data))])
            await asyncio.sleep(0)

    async def reply(self, *, has_body=True):
        """Status, headers, body."""
        text = (await self._read(self._reader.readuntil(b"\r\n\r\n"))).decode()
        headers = dict(re.findall(r"([a-z0-9-]+): (.*)\r", text))
        length = int(headers.get("content-length", "0")) if has_body else 0
        return int(text.split()[1]), headers, await self._read(self._reader.readexactly(length))

    async def value(self):
        status, _, content = await self.reply()
        return json.loads(content)["outputs"][0]["data"] if status == 200 else status

    async def is_ended(self):
        try:
            return await self._read(self._reader.read()) == b""
        except ConnectionError:
            return True

    async def _read(self, reading):
        return await asyncio.wait_for(reading, 20)


@pytest.fixture
def run(bench, tmp_path):
    """Run a scene with a client, or with what makes clients."""

    def one(scene, predict=lambda rows: rows.matrix.sum(axis=1), **limits):
        served = bench(predict, Limits(**limits))
        (tmp_path / "digests").touch()
        keys = ApiKeys(lambda: [hashlib.sha256(b"key").hexdigest()], tmp_path / "digests")

        async def main():
            http = Http(served.plane, [served.dialect], keys, Line(served.plane))
            path = tmp_path / "s"
            server = await asyncio.get_running_loop().create_unix_server(lambda: Connection(http), str(path))
            try:
                async with Client(http, path) as client:
                    return await asyncio.wait_for(scene(client), 60)
            finally:
                server.close()
                for left in tuple(http._connections):
                    left._transport.abort()
                await asyncio.sleep(0)

        return asyncio.run(main())

    return one


@pytest.mark.parametrize("step", [1, 7, 64, 0])
def test_pieces_make_no_difference(run, step):
    async def scene(client):
        chunked = head(b"Transfer-Encoding: chunked") + b"%x\r\n%b\r\n0\r\n\r\n" % (len(TWO), TWO)
        await client.send(request(ONE) + PAGE + chunked + request(b"") + request(ONE), step)
        return [await client.value(), (await client.reply())[2], *[await client.value() for _ in range(3)]]

    assert run(scene) == [[6.0], LIVE, [15.0], 400, [6.0]]


def test_the_same_head_again_with_another_body(run):
    async def scene(client):
        answers = []
        for content in (ONE, TWO, ONE):
            await client.send(request(content))
            answers.append(await client.value())
        await client.send(request(TWO)[:-5])
        await client.send(request(TWO)[-5:] + request(ONE)[:20])
        answers.append(await client.value())
        await client.send(request(ONE)[20:] + request(ONE, b"X-Request-Id: other"))
        return [*answers, await client.value(), (await client.reply())[1]["x-request-id"]]

    assert run(scene) == [[6.0], [15.0], [6.0], [15.0], [6.0], "other"]


def test_a_head_that_differs_in_its_id_only_is_known_and_its_id_counts(run):
    async def scene(client):
        ids = []
        for name in (b"X-Request-Id: ", b"x-request-id: ", b"X-REQUEST-ID: ", b"X-Request-Id:"):
            for value in (b"a", b"b c", b"b c", b"z" * 128):
                await client.send(request(ONE, name + value))
                ids.append((await client.reply())[1]["x-request-id"])
        return ids, len(client.http.routes)

    # Only what is written in one of the two usual ways is looked for.
    assert run(scene) == (["a", "b c", "b c", "z" * 128] * 4, 2)


@pytest.mark.parametrize("value", [b"\x80", b"a\tb", b"x" * 129])
def test_an_id_that_cannot_be_kept_is_refused_with_a_known_head_too(run, value):
    async def scene(client):
        statuses = []
        for one in (b"fine", value, b"fine", value + b"\r\nX-Request-Id: fine"):
            await client.send(request(ONE, b"X-Request-Id: " + one))
            status, headers, _ = await client.reply()
            statuses.append((status, headers["x-request-id"] == "fine"))
        return statuses

    assert run(scene) == [(200, True), (400, False), (200, True), (200, True)]


def test_a_key_that_is_withdrawn_counts_for_the_same_head_too(run):
    async def scene(client):
        await client.send(request(ONE))
        before = await client.value()
        client.http._keys._digests = ()
        client.http._keys._allowed.clear()
        await client.send(request(ONE))
        return before, await client.value()

    assert run(scene) == ([6.0], 401)


def test_a_client_that_waits_for_a_word_gets_it(run):
    async def scene(client):
        await client.send(head(b"Expect: 100-continue", b"Content-Length: %d" % len(ONE)))
        word = await client.reply()
        await client.send(ONE)
        answers = [word[0], await client.value()]
        await client.send(head(b"Expect: 100-continue", b"Content-Length: 5", key=b"wrong"))
        return [*answers, (await client.reply())[0]]

    assert run(scene) == [100, [6.0], 401]


def test_no_body_comes_with_the_reply_to_a_head(run):
    async def scene(client):
        await client.send(b"HEAD " + ASK + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        status, headers, _ = await client.reply(has_body=False)
        await client.send(b"HEAD /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n" + PAGE)
        page = await client.reply(has_body=False)
        return status, int(headers["content-length"]) > 0, page[1]["content-length"], (await client.reply())[2]

    assert run(scene) == (405, True, str(len(LIVE)), LIVE)


@pytest.mark.parametrize("step", [100, 0])
def test_a_body_that_nobody_wants_is_passed_over(run, step):
    async def scene(client):
        get = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n" + PAGE * 128
        await client.send(request(PAGE * 100, key=b"wrong") + get[: get.index(b"\r\n\r\n") + 5004] + PAGE, step)
        return [(await client.reply())[0] for _ in range(3)]

    assert run(scene) == [401, 200, 200]


ENDS = {
    "by wish": (request(ONE, b"Connection: close") + PAGE, 200),
    "of old": (b"GET /v2/health/live HTTP/1.0\r\n\r\n" + PAGE, 200),
    "no request": (b"hello\r\n\r\n" + PAGE, 400),
    "a long head": (b"GET /" + b"x" * 17_000, 431),
    "a refused chunked body": (head(b"Transfer-Encoding: chunked", key=b"wrong") + PAGE, 401),
    "a broken chunked body": (head(b"Transfer-Encoding: chunked") + b"no\r\n" + PAGE, 400),
    "an endless chunked body": (head(b"Transfer-Encoding: chunked") + b"ffffff\r\n" + PAGE, 413),
    "a body of a terabyte": (head(b"Content-Length: 1000000000000") + PAGE, 413),
}


@pytest.mark.parametrize("name", ENDS)
def test_the_connection_ends_after_the_reply_and_says_so(run, name):
    sent, wanted = ENDS[name]

    async def scene(client):
        await client.send(sent)
        status, headers, _ = await client.reply()
        return status, headers["connection"], await client.is_ended()

    assert run(scene) == (wanted, "close", True)


def test_who_has_said_all_still_gets_the_reply(run):
    async def scene(client):
        await client.send(request(ONE))
        client.writer.write_eof()
        return await client.value(), await client.is_ended()

    assert run(scene) == ([6.0], True)


SLOW = {
    "idle": (b"", connection.IDLE_NS, None),
    "a head": (PAGE[:10], connection.PATIENCE_NS, 408),
    "a body": (request(ONE)[:-1], SECOND_NS, 408),
    "a chunked body": (head(b"Transfer-Encoding: chunked") + b"5\r\nab", SECOND_NS, 408),
}


@pytest.mark.parametrize("name", SLOW)
def test_what_comes_too_slowly_is_given_up(run, name):
    sent, patience_ns, wanted = SLOW[name]

    async def scene(client):
        await client.send(PAGE + sent)
        await client.reply()
        began = machine_now()
        client.http.beat(MachineTime(began + patience_ns * 9 // 10))
        await asyncio.sleep(0.01)
        assert not client._reader._buffer
        client.http.beat(MachineTime(began + patience_ns * 2))
        status = (await client.reply())[0] if wanted else None
        client.http.beat(MachineTime(began + patience_ns * 4))
        return status, await client.is_ended()

    assert run(scene) == (wanted, True)


def test_who_does_not_read_is_not_read_from(run):
    many = 3_000

    async def scene(client):
        sending = asyncio.create_task(client.send(request(body(*range(600))) * many, 100_000))
        await asyncio.sleep(0.3)
        (other,) = client.http._connections
        held = other._transport.get_write_buffer_size() + len(other._come)
        answers = [await client.value() for _ in range(many)]
        await sending
        return held < 1_000_000, len(answers), answers[0] == answers[-1]

    assert run(scene) == (True, many, True)


def test_who_never_reads_is_cut_off(run):
    async def scene(client):
        sending = asyncio.create_task(client.send(request(body(*range(600))) * 3_000, 100_000))
        await asyncio.sleep(0.3)
        client.http.beat(MachineTime(machine_now() + 2 * connection.PATIENCE_NS))
        await asyncio.sleep(0.05)
        sending.cancel()
        return len(client.http._connections)

    assert run(scene) == 0


def test_draining_answers_what_was_begun_and_ends_what_is_idle(run):
    async def scene(client):
        async with Client(client.http, client._path) as busy:
            await client.send(PAGE)
            await busy.send(PAGE + request(ONE)[:-3])
            await client.reply()
            await busy.reply()
            draining = asyncio.create_task(client.http.drain(10))
            idle = await client.is_ended()
            assert not draining.done()
            await busy.send(request(ONE)[-3:])
            _, headers, _ = await busy.reply()
            await draining
            return idle, headers["connection"], await busy.is_ended()

    assert run(scene) == (True, "close", True)


def test_draining_takes_no_longer_than_it_may(run):
    async def scene(client):
        await client.send(request(ONE)[:-3])
        await asyncio.sleep(0.05)
        await client.http.drain(0.05)
        return len(client.http._connections)

    assert run(scene) == 1


def test_a_reply_says_when_it_was_made(run):
    async def scene(client):
        await client.send(request(ONE))
        return (await client.reply())[1]["date"]

    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", run(scene))


def test_a_client_that_leaves_while_it_is_worked_for_harms_nobody(run):
    async def scene(client):
        async with Client(client.http, client._path) as other:
            await other.send(request(ONE))
        await client.send(request(TWO))
        return await client.value()

    assert run(scene, predict=lambda rows: np.full(1, 15.0)) == [15.0]


def test_a_reply_to_what_was_sent_ahead_has_its_own_time_to_be_taken(run):
    """A large reply waits for its reader; that another request has come already must not end its patience."""

    async def scene(client):
        many = request(body(*(np.arange(3 * 9_000) / 7)))
        sending = asyncio.create_task(client.send(6 * many))
        await asyncio.sleep(0.3)
        (other,) = client.http._connections
        assert other._is_clogged and other._come
        client.http.beat(MachineTime(machine_now() + connection.PATIENCE_NS // 2))
        answers = [len(await client.value()) for _ in range(6)]
        await sending
        return answers

    assert run(scene) == [9_000] * 6
