"""The short way says and writes what the long way does; what is not ordinary it leaves alone."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from gyroscope.clock import machine_now
from gyroscope.models.runners import Checked
from gyroscope.serving.batching import CHEAP_NS, SLOW_NS
from gyroscope.serving.connection import Connection
from gyroscope.serving.dialects.mlflow import Mlflow
from gyroscope.serving.express import Express, express
from gyroscope.serving.http import Http
from gyroscope.serving.intake import Intake
from gyroscope.serving.keys import ApiKeys
from gyroscope.serving.line import Line


def body(*values, **more):
    tensor = {"name": "x", "shape": [1, len(values)], "datatype": "FP64", "data": values}
    return json.dumps({"inputs": [tensor], **more}).encode()


class Sums:
    """A runner that has the short way; a negative sum is no answer."""

    takes_one = True

    def predict(self, rows):
        return rows.matrix.sum(axis=1) if rows.matrix.sum() >= 0 else np.full(len(rows.matrix), np.nan)

    def one(self, numbers):
        if numbers == np.full(3, 13.0).tobytes():
            raise RuntimeError("unlucky")
        return self.predict(type("Rows", (), {"matrix": np.frombuffer(numbers).reshape(1, -1)})).item()


@pytest.fixture
def open_line(bench):
    """A bench and its express, beside a line on which the model is known to be fast."""

    def make(**log):
        served = bench(**log)
        line = Line(served.plane)
        line._batcher.ended(1, 1, CHEAP_NS // 5, 0, 0)
        runner = Checked(Sums(), served.signature)
        served.plane._runner = runner
        short = express(served.dialect, runner, served.log, served.pulse, line)
        assert isinstance(short, Express)
        return served, line, short

    return make


@pytest.mark.parametrize("values", [(1.0, 2.0, 3.0), (1e300, -0.0, 1e-310), (0.1, 1 / 3, 7)])
@pytest.mark.parametrize("mode", ["os", "off"])
def test_replies_entries_and_counters_are_those_of_the_plane(open_line, values, mode):
    served, _, short = open_line(mode=mode)
    asked, before = body(*values), served.pulse.counters()
    replies = [short.answer(asked, machine_now(), "r-%"), served.plane.handle(served.call(asked, request_id="r-%"))]
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
    short = express(dialect, served.plane._runner, served.log, served.pulse, line)
    asked = json.dumps({form: [[1, 2.5, -0.0]]}).encode()
    call = served.call(asked, request_id="r")
    call.dialect = dialect
    assert short.answer(asked, machine_now(), "r") == served.plane.handle(call)
    first, second = served.written()
    assert (first.matrix == second.matrix).all()
    others = ([[1, 2, 3], [1, 2, 3]], [1, 2, 3], [[1, 2]], [[1, None, 3]], [{"a": 1, "b": 2, "c": 3}], [])
    for other in (*({form: rows} for rows in others), {"inputs": [[1, 2, 3]], "instances": [[1, 2, 3]]}, {"params": 1}):
        assert short.answer(json.dumps(other).encode(), machine_now(), "") is None, other


def test_an_id_is_made_where_none_came(open_line):
    served, _, short = open_line()
    reply = short.answer(body(1, 2, 3), machine_now(), "")
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
    assert short.answer(asked, machine_now(), "") is None
    assert served.written() == []
    assert served.pulse.started_ns == 0
    assert served.pulse.counters()["requests_2xx"] == 0


def test_whose_time_was_up_before_the_body_had_come_is_told_so(open_line):
    served, _, short = open_line()
    asked, arrived = body(1, 2, 3), machine_now() - served.plane.limits.deadline_ns
    assert short.answer(asked, arrived, "") is None
    call = served.call(asked)
    call.arrived = arrived
    assert served.plane.handle(call).status == 504


def test_only_where_nobody_waits_and_the_model_is_known_to_be_fast(open_line):
    _, line, short = open_line()
    line._is_called = True
    assert short.answer(body(1, 2, 3), machine_now(), "") is None
    line._is_called = False
    for _ in range(40):
        line.passed(50 * SLOW_NS, machine_now())
    assert short.answer(body(1, 2, 3), machine_now(), "") is None


class Wire:
    """A transport that keeps what is written."""

    def __init__(self):
        self.said = []
        self.write = self.said.append


@pytest.mark.parametrize(
    ("lines", "is_taken"),
    [
        ("", True),
        ("X-Request-Id: mine\r\n", True),
        ("X-Entity-Key: e\r\n", False),
        ("X-Request-Timeout-Ms: 9\r\n", False),
    ],
)
def test_http_takes_it_where_the_head_says_no_more_than_an_id(open_line, tmp_path, lines, is_taken):
    served, line, short = open_line()
    (tmp_path / "digests").touch()
    keys = ApiKeys(lambda: [hashlib.sha256(b"key").hexdigest()], tmp_path / "digests")
    connection = Connection(Http(served.plane, [served.dialect], keys, line, [short]))
    connection._transport = wire = Wire()
    line.enter = lambda call, deliver: deliver(served.plane.handle(call))
    asked = body(1, 2, 3)
    head = f"POST {served.dialect.asks[0]} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key\r\n{lines}"
    taken, answer = [], short.answer
    short.answer = lambda *about: taken.append(answer(*about)) or taken[-1]
    for _ in range(3):  # the first head is read, the others are known
        connection.data_received(f"{head}Content-Length: {len(asked)}\r\n\r\n".encode() + asked)
    assert [text.split(b"\r\n")[0] for text in wire.said] == [b"HTTP/1.1 200 OK"] * 3
    assert all(b'"data":[6.0]' in text for text in wire.said)
    assert bool(taken) == is_taken
    assert all(reply is not None for reply in taken)
    assert len(served.written()) == 3


def test_a_suspect_goes_the_long_way(open_line):
    served, _, short = open_line()
    asked = body(1, 2, 3)
    work = served.plane.prepare(served.call(asked))
    served.quarantine.blame([work.input_hash], machine_now())
    assert short.answer(asked, machine_now(), "") is None
    assert served.plane.prepare(served.call(asked)).is_suspect


def test_a_full_log_is_counted(open_line):
    served, _, short = open_line(cap_bytes=1)
    reply = short.answer(body(1, 2, 3), machine_now(), "")
    assert (reply.status, reply.logged) == (200, "no")
    assert served.pulse.counters()["unlogged"] == 1


@pytest.mark.parametrize("log", [{"mode": "full"}, {"keep_one_in": 2}, {"on_failure": "fail_closed"}])
def test_a_log_with_more_to_do_has_no_express(bench, log):
    served = bench(**log)
    assert (
        express(served.dialect, Checked(Sums(), served.signature), served.log, served.pulse, Line(served.plane)) is None
    )


def test_models_with_texts_and_runners_without_the_short_way_have_none(bench, mixed):
    served = bench(signature=mixed)
    assert express(served.dialect, Checked(Sums(), mixed), served.log, served.pulse, Line(served.plane)) is None
    plain = type("Plain", (), {"predict": Sums.predict})()
    assert not Checked(plain, served.signature).takes_one
