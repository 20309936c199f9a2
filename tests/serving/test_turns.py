"""Over HTTP the ordinary requests of one turn of the loop are answered together, as if each had come alone."""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket

import msgspec
import pytest
import xxhash
from tests.serving.short_way import Quick, body

from gyroscope.clock import machine_now
from gyroscope.serving.connection import Connection
from gyroscope.serving.copies import Copy, Mirror, Target
from gyroscope.serving.express import TOGETHER
from gyroscope.serving.http import MANY, Http
from gyroscope.serving.keys import ApiKeys


class Wire:
    """A transport that keeps what is written, in `said` of all."""

    def __init__(self, said):
        self.write = said.append
        self.is_closing = lambda: False


@pytest.fixture
def door(open_line, tmp_path):
    """`open_line` behind HTTP: `meet()` is one more client, of whom `said` has all replies in their order."""
    served, line, short = open_line()
    line._batcher = Quick(64, 1_000_000_000)
    (tmp_path / "digests").touch()
    keys = ApiKeys(lambda: [hashlib.sha256(b"key").hexdigest()], tmp_path / "digests")
    http, said = Http(served.plane, [served.dialect], keys, line, short), []

    def meet():
        connection = Connection(http)
        connection.connection_made(Wire(said))
        return connection.data_received

    def text(content, lines=""):
        head = f"POST {served.dialect.asks[0]} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key\r\n{lines}"
        return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content

    return served, line, short, said, meet, text


async def until(is_so):
    async with asyncio.timeout(20):
        while not is_so():
            await asyncio.sleep(0)


def numbers_in(said):
    """Of each reply: its status and its number, or 0 where there is none."""
    bodies = [json.loads(text.partition(b"\r\n\r\n")[2]) for text in said]
    numbers = [found["outputs"][0]["data"][0] if "outputs" in found else 0 for found in bodies]
    return [(int(text.split()[1]), number) for text, number in zip(said, numbers, strict=True)]


@pytest.mark.parametrize(
    ("lines", "is_taken"),
    [
        ("", True),
        ("X-Request-Id: mine\r\n", True),
        ("X-Entity-Key: e\r\n", False),
        ("X-Request-Timeout-Ms: 9000\r\n", False),
    ],
)
def test_http_takes_it_where_the_head_says_no_more_than_an_id(door, lines, is_taken):
    served, _, short, said, meet, text = door
    taken, answer = [], short.answer
    short.answer = lambda asked: taken.extend(answer(asked)) or taken[-len(asked) :]

    async def scene():
        client = meet()
        for at in range(3):  # the first head is read, the others are known
            client(text(body(1, 2, 3), lines))
            await until(lambda at=at: len(said) > at)

    asyncio.run(scene())
    assert numbers_in(said) == [(200, 6.0)] * 3
    assert bool(taken) == is_taken
    assert all(reply is not None for reply in taken)
    assert len(served.written()) == 3


@pytest.fixture
def together(door):
    """Clients that send one of `asked` each in one turn of the loop, their place as id; gives what is in the log."""
    served, _, _, said, meet, text = door

    def scene(asked):
        async def main():
            first = meet()
            for content in {len(content): content for content in asked}.values():
                before = len(said)
                first(text(content, "X-Request-Id: known\r\n"))
                await until(lambda before=before: len(said) > before)
            said.clear()
            for at, content in enumerate(asked):
                meet()(text(content, f"X-Request-Id: {at}\r\n"))
                assert not said, "nobody is answered before all are read"
            await until(lambda: len(said) == len(asked))
            await asyncio.sleep(0)  # copies for a shadow leave when the replies have left

        asyncio.run(main())
        return {entry.request_id: entry for entry in served.written() if entry.request_id != "known"}

    return scene


def test_who_comes_in_one_turn_is_answered_in_one(door, together):
    served, _, short, said, _, _ = door
    turns, answer = [], short.answer
    short.answer = lambda asked: turns.append(len(asked)) or answer(asked)
    entries = together([body(at, 0.5, -0.0) for at in range(10, 10 + TOGETHER + 4)])
    assert turns == [TOGETHER, 4]
    assert numbers_in(said) == [(200, at + 10.5) for at in range(TOGETHER + 4)]
    assert [f"x-request-id: {at}\r\n".encode() in text for at, text in enumerate(said)] == [True] * (TOGETHER + 4)
    assert list(entries) == [str(at) for at in range(TOGETHER + 4)]
    assert [entry.matrix[0, 0] + 0.5 for entry in entries.values()] == [
        entry.outputs.item() for entry in entries.values()
    ]
    assert served.pulse.counters()["model_calls"] == served.pulse.counters()["logged"] == TOGETHER + 5
    assert served.pulse.batch_buckets()[0] == sum(served.pulse.latency_buckets()) == TOGETHER + 5


@pytest.mark.parametrize(
    ("come", "turns"),
    [
        ((MANY - 1, 2), [(0, MANY - 1), (1, 2)]),
        ((MANY, 2), [(2, MANY + 2)]),
        ((MANY, 0, 2), [(1, MANY), (2, 2)]),
        ((MANY, 0, MANY, 1), [(1, MANY), (4, MANY + 1)]),
        ((MANY, 1, 1, 0, 1), [(3, MANY + 2), (4, 1)]),
        ((TOGETHER, 2), [(0, TOGETHER), (1, 2)]),
        ((MANY, TOGETHER), [(1, TOGETHER), (1, MANY)]),
    ],
)
def test_many_wait_for_those_who_came_while_they_were_read(door, come, turns):
    _, _, short, said, meet, text = door
    looks, seen, answer = [], [], short.answer

    async def scene():
        meet()(text(body(1, 2, 3)))
        await until(lambda: said)
        said.clear()
        short.answer = lambda asked: seen.append((len(looks), len(asked))) or answer(asked)
        for n in come:
            for _ in range(n):
                meet()(text(body(1, 2, 3)))
            await asyncio.sleep(0)
            looks.append(n)
        await until(lambda: len(said) == sum(come))

    asyncio.run(scene())
    assert seen == turns


def test_a_reply_that_cannot_be_given_takes_no_other_with_it(door):
    _, _, _, said, meet, text = door

    class Odd(Wire):
        """A transport that breaks where nobody expects it."""

        is_aborted = False

        def abort(self):
            self.is_aborted = True

    async def scene():
        first = meet()
        for at, content in enumerate((body(1, 0, 0), body(1, None, 1))):  # heads that are known from now on
            first(text(content))
            await until(lambda at=at: len(said) > at)
        said.clear()
        clients = [meet() for _ in range(4)]
        odd = Odd(said)
        clients[1].__self__._transport, odd.write = odd, None
        for at, client in enumerate(clients):
            client(text(body(at, 0, 0) if at < 3 else body(1, None, 1)))
        await until(lambda: len(said) == 3)
        return odd

    assert asyncio.run(scene()).is_aborted
    assert numbers_in(said) == [(200, 0), (200, 2), (500, 0)]


def test_what_one_of_them_asks_touches_no_other(door, together):
    """The unlucky, the null, the broken and the suspect go the long way; each is in hand by itself meanwhile."""
    served, _, short, said, _, _ = door
    asked = [body(at, 0, 0) for at in range(10, 20)]
    asked[2:5] = body(13, 13, 13), body(1, None, 1), b"{"
    hashes = [xxhash.xxh3_64_intdigest(content) for content in asked]
    served.quarantine.blame([hashes[6]], machine_now())
    in_hand = []
    short._one.__self__._runner.in_hand = lambda: in_hand.append(served.pulse.inputs)
    entries = together(asked)
    assert in_hand[-8:] == [[hashes[at]] for at in (0, 1, 2, 5, 7, 8, 9)]
    ordinary = [(200, 10), (200, 11), (200, 15), (200, 17), (200, 18), (200, 19)]
    assert numbers_in(said) == [*ordinary, (200, 39), (500, 0), (400, 0), (200, 16)]
    assert {name: entry.status for name, entry in entries.items()} == {
        **{str(at): 200 for at in range(10)},
        "3": 500,
        "4": 400,
    }
    assert served.quarantine.kills(hashes[6], machine_now()) == 0, "it came back"
    assert served.pulse.started_ns == 0


def test_a_shadow_gets_copies_of_all_that_were_answered(door, together, tmp_path):
    served, _, _, _, meet, _ = door
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as shadow:
        shadow.bind(str(tmp_path / "shadow"))
        shadow.listen()
        (tmp_path / "mirror").write_bytes(msgspec.json.encode(Target(str(tmp_path / "shadow"))))
        mirror = meet().__self__._http._mirror = Mirror(tmp_path / "mirror", served.pulse)
        mirror.look()
        asked = [body(at, 0, 0) for at in (10, 11, 12, 13)]
        together([*asked, body(1, None, 1)])
        mirror.close()
        taker, _ = shadow.accept()
        with taker:
            copies = [msgspec.msgpack.decode(sent, type=Copy) for sent in iter(lambda: taker.recv(65_536), b"")]
    told = {copy.request_id: copy.body for copy in copies if copy.request_id != "known"}
    assert told == {str(at): content for at, content in enumerate(asked)}


def test_those_behind_a_model_that_has_become_slow_go_to_the_line(door, together):
    _, line, short, said, _, _ = door
    calls = []

    def slower():
        calls.append(line.is_free)
        if len(calls) == TOGETHER:
            line._batcher.is_quick = False

    short._one.__self__._runner.in_hand = slower
    asked = [body(at, 0, 0) for at in range(10, 10 + 2 * TOGETHER)]
    entries = together(asked)
    assert len(calls) == TOGETHER
    assert numbers_in(said) == [(200, at) for at in range(10, 10 + 2 * TOGETHER)]
    assert len(entries) == 2 * TOGETHER


def test_a_fault_of_our_own_is_answered_by_the_line(door, together, caplog):
    served, _, short, said, _, _ = door
    short._write_down = lambda *about: 1 / 0
    assert len(together([body(at, 0, 0) for at in (1, 2, 3)])) == 3
    assert numbers_in(said) == [(200, 1), (200, 2), (200, 3)]
    assert "a fault of the replica's own" in caplog.text
    assert served.pulse.started_ns == 0, "the parent does not wait for them"


def test_pipelined_requests_of_one_client_keep_their_order(door):
    served, _, _, said, meet, text = door

    async def scene():
        client = meet()
        for count in (1, 5):
            said.clear()
            client(b"".join(text(body(at, 0, 0)) for at in range(count)))
            await until(lambda count=count: len(said) == count)

    asyncio.run(scene())
    assert numbers_in(said) == [(200, at) for at in range(5)]
    assert len(served.written()) == 6


def test_who_left_in_the_middle_of_its_turn_harms_nobody(door):
    served, _, _, said, meet, text = door

    async def scene():
        known = text(body(1, 2, 3))
        meet()(known)
        await until(lambda: said)
        leaving, staying = meet(), meet()
        leaving(known), staying(known)
        leaving.__self__.connection_lost(None)
        await until(lambda: len(said) == 2)

    asyncio.run(scene())
    assert numbers_in(said) == [(200, 6), (200, 6)]
    assert len(served.written()) == 3, "what was predicted is in the log"
