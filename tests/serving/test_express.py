"""The short way says and writes what the long way does; what is not ordinary it leaves alone."""

from __future__ import annotations

import json

import msgspec
import pytest
import xxhash
from tests.serving.short_way import Many, Quick, Sums, ask, body

from gyroscope.clock import machine_now
from gyroscope.models.runners import Checked
from gyroscope.serving.batching import SLOW_NS
from gyroscope.serving.dialects.mlflow import Mlflow
from gyroscope.serving.express import TOGETHER, express
from gyroscope.serving.intake import Intake
from gyroscope.serving.line import Line


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
