"""The short way says and writes what the long way does; what is not ordinary it leaves alone."""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket

import msgspec
import numpy as np
import pytest
import xxhash

from gyroscope.clock import machine_now
from gyroscope.models.runners import Checked
from gyroscope.serving.batching import CHEAP_NS, SLOW_NS, Batcher
from gyroscope.serving.connection import Connection
from gyroscope.serving.copies import Copy, Mirror, Target
from gyroscope.serving.dialects.mlflow import Mlflow
from gyroscope.serving.express import TOGETHER, Express, express
from gyroscope.serving.http import MANY, Http
from gyroscope.serving.intake import Intake
from gyroscope.serving.keys import ApiKeys
from gyroscope.serving.line import Line


def body(*values, **more):
    tensor = {"name": "x", "shape": [1, len(values)], "datatype": "FP64", "data": values}
    return json.dumps({"inputs": [tensor], **more}).encode()


class Sums:
    """A runner that has the short way; a negative sum is no answer."""

    takes_one = True
    in_hand = staticmethod(lambda: None)

    def predict(self, rows):
        return rows.matrix.sum(axis=1) if rows.matrix.sum() >= 0 else np.full(len(rows.matrix), np.nan)

    def one(self, numbers):
        self.in_hand()
        if numbers == np.full(3, 13.0).tobytes():
            raise RuntimeError("unlucky")
        return self.predict(type("Rows", (), {"matrix": np.frombuffer(numbers).reshape(1, -1)})).item()


class Many(Sums):
    """Of three and more it says what it says of each, at once; all of nothing where one is unlucky."""

    several_from = 3

    def several(self, rows):
        return [self.one(numbers) for numbers in rows]


class Quick(Batcher):
    """Finds the model fast, however slow this machine is, until it is told otherwise."""

    is_quick = True


@pytest.fixture
def open_line(bench):
    """A bench and its express, beside a line on which the model is known to be fast."""

    def make(**log):
        served = bench(**log)
        line = Line(served.plane)
        line._batcher.ended(1, 1, CHEAP_NS // 5, 0, 0)
        runner = Checked(Sums(), served.signature)
        served.plane._runner = runner
        short = express([served.dialect], runner, served.log, served.pulse, line)
        assert isinstance(short, Express)
        return served, line, short

    return make


def ask(short, body, request_id="", arrived=None, dialect=None):
    """One request alone in its turn."""
    about = (dialect or short.dialects[0], body, arrived or machine_now(), request_id, None, None)
    (reply,) = short.answer([about])
    return reply


@pytest.mark.parametrize("values", [(1.0, 2.0, 3.0), (1e300, -0.0, 1e-310), (0.1, 1 / 3, 7)])
@pytest.mark.parametrize("mode", ["os", "off"])
def test_replies_entries_and_counters_are_those_of_the_plane(open_line, values, mode):
    served, _, short = open_line(mode=mode)
    asked, before = body(*values), served.pulse.counters()
    replies = [ask(short, asked, "r-%"), served.plane.handle(served.call(asked, request_id="r-%"))]
    assert replies[0] == replies[1]
    counted = served.pulse.counters()
    for name in ("requests_2xx", "rows", "logged", "model_calls", "model_requests"):
        assert counted[name] - before[name] in (0, 2), name
    assert counted["requests_2xx"] - before["requests_2xx"] == 2
    assert sum(served.pulse.latency_buckets()) == 2
    entries = served.written()
    assert len(entries) == (2 if mode == "os" else 0)
    for entry in entries:
        assert (entry.request_id, entry.status, entry.weight) == ("r-%", 200, 1)
        assert entry.matrix.tolist() == [list(values)]
        assert entry.outputs.tolist() == [[sum(values)]]
        assert entry.client_id == entry.entity_key == entry.error == ""


@pytest.mark.parametrize("form", ["inputs", "instances"])
def test_so_are_those_of_mlflow(open_line, form):
    served, line, _ = open_line()
    dialect = Mlflow(served.version, Intake(served.signature))
    short = express([dialect], served.plane._runner, served.log, served.pulse, line)
    asked = json.dumps({form: [[1, 2.5, -0.0]]}).encode()
    call = served.call(asked, request_id="r")
    call.dialect = dialect
    assert ask(short, asked, "r") == served.plane.handle(call)
    first, second = served.written()
    assert (first.matrix == second.matrix).all()
    others = ([[1, 2, 3], [1, 2, 3]], [1, 2, 3], [[1, 2]], [[1, None, 3]], [{"a": 1, "b": 2, "c": 3}], [])
    for other in (*({form: rows} for rows in others), {"inputs": [[1, 2, 3]], "instances": [[1, 2, 3]]}, {"params": 1}):
        assert ask(short, json.dumps(other).encode()) is None, other


def test_an_id_is_made_where_none_came(open_line):
    served, _, short = open_line()
    reply = ask(short, body(1, 2, 3))
    assert len(reply.request_id) == 32
    assert [entry.request_id for entry in served.written()] == [reply.request_id]
    assert json.loads(reply.body)["parameters"] == {"request_id": reply.request_id}


@pytest.mark.parametrize(
    "asked",
    [
        body(1, None, 3),
        body(1, 2, 3, id="mine"),
        body(1, 2),
        b"{",
        b"",
        json.dumps({"inputs": [{"name": "x", "shape": [2, 3], "datatype": "FP64", "data": [1] * 6}]}).encode(),
        body(1, 2, 3).replace(b'"name"', b'"name": "y", "name"'),
        body(-1, -2, -3),
        body(13, 13, 13),
    ],
    ids=["null", "id", "too few", "broken", "empty", "two rows", "twin keys", "no valid answer", "raises"],
)
def test_what_is_not_ordinary_is_left_to_the_plane(open_line, asked):
    served, _, short = open_line()
    assert ask(short, asked) is None
    assert served.written() == []
    assert served.pulse.started_ns == 0
    assert served.pulse.counters()["requests_2xx"] == 0


def test_whose_time_was_up_before_the_body_had_come_is_told_so(open_line):
    served, _, short = open_line()
    asked, arrived = body(1, 2, 3), machine_now() - served.plane.limits.deadline_ns
    assert ask(short, asked, arrived=arrived) is None
    call = served.call(asked)
    call.arrived = arrived
    assert served.plane.handle(call).status == 504


def test_only_where_nobody_waits_and_the_model_is_known_to_be_fast(open_line):
    _, line, short = open_line()
    line._is_called = True
    assert ask(short, body(1, 2, 3)) is None
    line._is_called = False
    for _ in range(40):
        line.passed(50 * SLOW_NS, machine_now())
    assert ask(short, body(1, 2, 3)) is None


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


@pytest.fixture
def at_once(open_line):
    """Answers requests of one turn by a runner that would rather be asked about several; what was in hand meanwhile."""

    def turn(asked, **limits):
        served, line, short = open_line()
        line.limits = msgspec.structs.replace(line.limits, **limits)
        runner = Checked(Many(), served.signature)
        short = express([served.dialect], runner, served.log, served.pulse, line)
        in_hand = []
        runner._runner.in_hand = lambda: in_hand.append(served.pulse.inputs)
        replies = short.answer([(served.dialect, content, machine_now(), "", None, None) for content in asked])
        return served, replies, in_hand

    return turn


def numbers_of(replies):
    return [None if reply is None else json.loads(reply.body)["outputs"][0]["data"][0] for reply in replies]


def test_several_are_asked_about_at_once_where_the_runner_is_faster_so(at_once):
    asked = [body(at, 0.5, 0) for at in range(5)]
    asked[1] = body(1, None, 1)
    served, replies, in_hand = at_once(asked)
    assert numbers_of(replies) == [0.5, None, 2.5, 3.5, 4.5]
    hashes = [xxhash.xxh3_64_intdigest(content) for content in asked if content != asked[1]]
    assert in_hand == [hashes] * 4, "all of them are in hand, and nothing else is"
    assert served.pulse.in_hand == 0
    assert [entry.outputs.item() for entry in served.written()] == [0.5, 2.5, 3.5, 4.5]
    assert served.pulse.counters()["model_calls"] == 4


@pytest.mark.parametrize(("calls", "limits"), [(2, {}), (5, {"batch_calls": 1})], ids=["too few", "never together"])
def test_else_one_by_one(at_once, calls, limits):
    asked = [body(at, 0.5, 0) for at in range(calls)]
    _, replies, in_hand = at_once(asked, **limits)
    assert numbers_of(replies) == [at + 0.5 for at in range(calls)]
    assert in_hand == [[xxhash.xxh3_64_intdigest(content)] for content in asked]


def test_a_fault_among_several_sends_all_to_the_plane_and_no_answer_its_own(at_once):
    good = [body(at, 0, 0) for at in (1, 2, 3)]
    served, replies, _ = at_once([*good, body(13, 13, 13)])
    assert replies == [None] * 4
    assert served.written() == []
    _, replies, _ = at_once([*good, body(-1, -2, -3)])
    assert (numbers_of(replies[:3]), replies[3]) == ([1, 2, 3], None)


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


def test_the_deadline_of_a_turn_is_that_of_its_last_ordinary_request(open_line):
    served, _, short = open_line()
    seen, now = [], machine_now()
    begin = served.pulse.begin_turn
    served.pulse.begin_turn = lambda began, deadline: seen.append(deadline) or begin(began, deadline)
    limit_ns, dialect = served.plane.limits.deadline_ns, short.dialects[0]
    slow = now - 2 * limit_ns
    short.answer([(dialect, body(1, 2, 3), arrived, "", None, None) for arrived in (now - 5, now, slow)])
    assert seen == [now + limit_ns]
    short.answer([(dialect, body(1, 2, 3), slow, "", None, None)])
    assert len(seen) == 1, "nobody is in hand where nobody is ordinary"


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


def test_a_suspect_goes_the_long_way(open_line):
    served, _, short = open_line()
    asked = body(1, 2, 3)
    work = served.plane.prepare(served.call(asked))
    served.quarantine.blame([work.input_hash], machine_now())
    assert ask(short, asked) is None
    assert served.plane.prepare(served.call(asked)).is_suspect


def test_a_full_log_is_counted(open_line):
    served, _, short = open_line(cap_bytes=1)
    reply = ask(short, body(1, 2, 3))
    assert (reply.status, reply.logged) == (200, "no")
    assert served.pulse.counters()["unlogged"] == 1


def test_a_log_that_fills_up_within_a_turn_says_so_to_those_behind(open_line):
    served, line, short = open_line(cap_bytes=1024 * 1024)
    line._batcher = Quick(64, 1_000_000_000)
    said, turn = [], []
    while turn.count("no") < TOGETHER:
        replies = short.answer([(served.dialect, body(1, 2, 3), machine_now(), "", None, None)] * TOGETHER)
        turn = [reply.logged for reply in replies]
        said += turn
    assert said == sorted(said, reverse=True), "first os, then no"
    assert said.count("os") % TOGETHER, "one turn had both"
    counted = served.pulse.counters()
    assert (counted["logged"], counted["unlogged"]) == (said.count("os"), said.count("no"))
    assert len(served.written()) == said.count("os")


@pytest.mark.parametrize("log", [{"mode": "full"}, {"keep_one_in": 2}, {"on_failure": "fail_closed"}])
def test_a_log_with_more_to_do_has_no_express(bench, log):
    served = bench(**log)
    assert (
        express([served.dialect], Checked(Sums(), served.signature), served.log, served.pulse, Line(served.plane))
        is None
    )


def test_models_with_texts_and_runners_without_the_short_way_have_none(bench, mixed):
    served = bench(signature=mixed)
    assert express([served.dialect], Checked(Sums(), mixed), served.log, served.pulse, Line(served.plane)) is None
    plain = type("Plain", (), {"predict": Sums.predict})()
    assert not Checked(plain, served.signature).takes_one
