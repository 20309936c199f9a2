"""The work itself: what is answered, what is written down before it, and what is never said aloud."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gyroscope.clock import MachineTime, machine_now
from gyroscope.errors import InputError, OverloadError
from gyroscope.records import Feature, Signature
from gyroscope.serving.plane import SHADOW_PATIENCE, Limits, Pending

BODY = json.dumps(
    {"inputs": [{"name": "x", "shape": [2, 3], "datatype": "FP64", "data": [1, 2, 3, 4, None, 6]}]}
).encode()


def test_answers_and_writes_down_the_same(bench):
    served = bench()
    reply = served.plane.handle(served.call(BODY, request_id="r-1", event_time="1362114000", entity_key="N14228"))
    assert (reply.status, reply.request_id, reply.logged) == (200, "r-1", "os")
    assert json.loads(reply.body)["outputs"][0]["data"] == [6, 10]
    (entry,) = served.written()
    np.testing.assert_array_equal(entry.matrix, [[1, 2, 3], [4, np.nan, 6]])
    np.testing.assert_array_equal(entry.outputs, [[6], [10]])
    assert (entry.request_id, entry.status, entry.error) == ("r-1", 200, "")
    assert (entry.event_time, entry.arrival_time) == (1_362_114_000_000_000, 1_700_000_000_000_000)
    assert entry.entity_key == "N14228"
    assert entry.latency_ns > 0


def test_counts_what_it_did(bench):
    served = bench()
    served.plane.handle(served.call(BODY))
    served.plane.handle(served.call(b"{"))
    served.plane.turn_away()
    counters = served.pulse.counters()
    assert counters.pop("failed_ns") > 0
    assert counters.pop("busy_ns") > 0
    assert counters.pop("queue_ns") > 0
    assert counters == {
        "requests_2xx": 1,
        "requests_4xx": 2,
        "requests_5xx": 0,
        "rows": 2,
        "logged": 2,
        "unlogged": 0,
        "rejected": 1,
        "sampled_out": 0,
        "model_calls": 1,
        "model_requests": 1,
        "copied": 0,
        "copies_lost": 0,
    }
    assert sum(served.pulse.latency_buckets()) == 2


def test_makes_an_id_and_takes_arrival_as_event_time(bench):
    served = bench()
    reply = served.plane.handle(served.call(BODY))
    (entry,) = served.written()
    assert len(reply.request_id) == 32
    assert entry.request_id == reply.request_id == json.loads(reply.body)["id"]
    assert entry.event_time == entry.arrival_time


def test_event_time_of_the_body_counts_unless_a_header_says_otherwise(bench):
    served = bench()
    body = json.dumps(json.loads(BODY) | {"id": "mine", "parameters": {"event_time": "2013-03-01T00:00:00Z"}}).encode()
    served.plane.handle(served.call(body))
    served.plane.handle(served.call(body, event_time="0"))
    first, second = served.written()
    assert (first.event_time, second.event_time) == (1_362_096_000_000_000, 0)
    assert first.client_id == "mine"


HEADERS = {
    "long id": ({"request_id": "x" * 129}, "X-Request-Id: this id cannot be kept"),
    "id with a line break": ({"request_id": "a\r\nb"}, "X-Request-Id: this id cannot be kept"),
    "id beyond ASCII": ({"request_id": "é"}, "X-Request-Id: this id cannot be kept"),
    "entity key": ({"entity_key": "\x00"}, "X-Entity-Key: this id cannot be kept"),
    "event time": ({"event_time": "yesterday"}, "X-Event-Time: this is no event time"),
    "event time beyond": ({"event_time": "1e300"}, "X-Event-Time: this is no event time"),
    "event time that is none": ({"event_time": "nan"}, "X-Event-Time: this is no event time"),
    "before the first year": ({"event_time": "0001-01-01T00:00:00+14:00"}, "X-Event-Time: this is no event time"),
    "time-out": ({"timeout_ms": "soon"}, "X-Request-Timeout-Ms: this is no time-out"),
    "no time-out": ({"timeout_ms": "0"}, "X-Request-Timeout-Ms: this is no time-out"),
    "long time-out": ({"timeout_ms": "60001"}, "X-Request-Timeout-Ms: this is no time-out"),
    "negative time-out": ({"timeout_ms": "-5"}, "X-Request-Timeout-Ms: this is no time-out"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_refuses_bad_headers_and_writes_that_down(bench, name):
    headers, said = HEADERS[name]
    served = bench()
    reply = served.plane.handle(served.call(BODY, **headers))
    (entry,) = served.written()
    assert reply.status == entry.status == 400
    assert json.loads(reply.body)["error"].startswith(said)
    assert entry.error.startswith(said)
    assert entry.matrix is None
    assert len(entry.request_id) == 32 or entry.request_id == headers.get("request_id")


def test_an_expired_request_never_reaches_the_model(bench):
    asked = []
    served = bench(lambda rows: asked.append(rows))
    call = served.call(BODY, timeout_ms="5")
    call.arrived = MachineTime(machine_now() - 6_000_000)
    reply = served.plane.handle(call)
    assert reply.status == 504
    assert "deadline" in json.loads(reply.body)["error"]
    assert served.written()[0].status == 504
    assert not asked


def test_a_client_cannot_wait_longer_than_the_deadline(bench):
    deadlines = []
    served = bench(lambda rows: deadlines.append(served.pulse.deadline_ns) or np.zeros(2), Limits(deadline_ns=10**9))
    long = served.call(BODY, timeout_ms="60000")
    served.plane.handle(long)
    short = served.call(BODY, timeout_ms="200")
    served.plane.handle(short)
    copy = served.call(BODY)
    copy.variant = "shadow"
    served.plane.handle(copy)
    assert deadlines == [long.arrived + 10**9, short.arrived + 200_000_000, copy.arrived + SHADOW_PATIENCE * 10**9]
    assert (served.pulse.started_ns, served.pulse.deadline_ns) == (0, 0)


def _raise(error):
    raise error


BROKEN = {
    "raises": (lambda rows: _raise(ValueError("cannot open /secret/path")), "ValueError: cannot open /secret/path"),
    "exits": (lambda rows: _raise(SystemExit(3)), "SystemExit"),
    "NaN": (lambda rows: np.array([1.0, np.nan]), "nan for row 1"),
    "infinity": (lambda rows: np.array([np.inf, 1.0]), "inf for row 0"),
    "too many": (lambda rows: np.zeros(3), "shape (3,)"),
    "too wide": (lambda rows: np.zeros((2, 2)), "shape (2, 2)"),
    "nothing": (lambda rows: None, "the model returned"),
    "text": (lambda rows: ["a", "b"], "the model returned no numbers"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_model_is_said_to_be_broken_and_no_more(bench, name):
    predict, cause = BROKEN[name]
    served = bench(predict)
    reply = served.plane.handle(served.call(BODY, request_id="r-1"))
    assert reply.status == 500
    error = json.loads(reply.body)["error"]
    assert error.startswith("model_output_invalid")
    assert "secret" not in error
    (entry,) = served.written()
    assert cause in entry.error
    assert entry.status == 500
    assert entry.outputs is None
    assert entry.matrix is not None
    assert served.pulse.started_ns == 0


def test_refusing_is_written_down_too(bench):
    served = bench()
    reply = served.plane.refuse(served.call(b"", request_id="r-9"), InputError("too large", status=413))
    (entry,) = served.written()
    assert (reply.status, reply.request_id, reply.logged) == (413, "r-9", "os")
    assert (entry.request_id, entry.status, entry.error) == ("r-9", 413, "too large")


def test_a_full_log_is_said_and_the_answer_given(bench):
    served = bench(cap_bytes=1)
    reply = served.plane.handle(served.call(BODY))
    assert (reply.status, reply.logged) == (200, "no")
    assert served.pulse.counters()["unlogged"] == 1


def test_a_full_log_that_must_not_be_is_no_answer(bench):
    served = bench(cap_bytes=1, on_failure="fail_closed")
    reply = served.plane.handle(served.call(BODY))
    assert (reply.status, reply.logged, reply.retry_after_s) == (503, "no", 1)
    assert "outputs" not in json.loads(reply.body)
    assert served.pulse.counters()["requests_5xx"] == 1


def test_what_sampling_leaves_out_is_answered_and_no_loss(bench):
    served = bench(keep_one_in=3)
    replies = [served.plane.handle(served.call(BODY, request_id=f"r-{n}")) for n in range(40)]
    refused = [served.plane.handle(served.call(b"{", request_id=f"e-{n}")) for n in range(10)]
    logged = [reply.logged for reply in replies]
    assert ({reply.status for reply in replies}, set(logged)) == ({200}, {"os", "sampled"})
    assert [reply.logged for reply in refused] == ["os"] * 10
    counters = served.pulse.counters()
    assert counters["sampled_out"] == logged.count("sampled")
    assert (counters["logged"], counters["unlogged"]) == (logged.count("os") + 10, 0)
    assert [entry.weight for entry in served.written()] == [3] * logged.count("os") + [1] * 10


def test_no_log_asked_for_is_no_loss(bench):
    served = bench(mode="off")
    assert served.plane.handle(served.call(BODY)).logged == "off"
    assert (served.pulse.counters()["unlogged"], served.pulse.counters()["requests_2xx"]) == (0, 1)


def test_a_canary_answers_or_leaves_it_to_the_champion(bench):
    served = bench()
    assert served.plane.handle(served.call(BODY, variant="canary")).status == 200
    assert served.plane.handle(served.call(b"{}", variant="canary")).status == 500, "the door repeats it elsewhere"
    assert [(entry.variant, entry.status) for entry in served.written()] == [("canary", 200), ("canary", 422)]


def test_with_full_the_answer_waits_for_its_entry(bench):
    served = bench(mode="full")
    pending = served.plane.handle(served.call(BODY, request_id="r-1"))
    assert isinstance(pending, Pending)
    assert served.pulse.counters()["requests_2xx"] == 0
    assert pending.waiting.wait(10) == "full"
    reply = served.plane.settle(pending)
    assert (reply.status, reply.logged, reply.request_id) == (200, "full", "r-1")
    assert [entry.request_id for entry in served.written()] == ["r-1"]
    counters = served.pulse.counters()
    assert (counters["logged"], counters["unlogged"], counters["requests_2xx"], counters["rows"]) == (1, 0, 1, 2)


@pytest.mark.parametrize(("policy", "status"), [("serve_unlogged", 200), ("fail_closed", 503)])
def test_an_entry_that_is_late_goes_by_the_policy(bench, policy, status):
    served = bench(mode="full", on_failure=policy)
    pending = served.plane.handle(served.call(BODY))
    assert isinstance(pending, Pending)
    pending.waiting.outcome = "no"
    reply = served.plane.settle(pending)
    assert (reply.status, reply.logged) == (status, "no")
    assert served.pulse.counters()["unlogged"] == 1
    assert (b"outputs" in reply.body) == (status == 200)


def test_a_late_refusal_still_gets_time_to_be_written(bench):
    served = bench(mode="full")
    call = served.call(BODY, timeout_ms="5")
    call.arrived = MachineTime(machine_now() - 6_000_000)
    pending = served.plane.handle(call)
    assert isinstance(pending, Pending)
    assert pending.deadline > machine_now()
    assert pending.waiting.wait(10) == "full"
    assert served.plane.settle(pending).status == 504


PRIVATE = Signature(
    "regression", (Feature("a", role="pii"), Feature("plan", "string", ("free",)), Feature("b")), output="value"
)


def _row(plan: str, name: str = "plan") -> bytes:
    tensors = [("a", "FP64", [41.5]), (name, "BYTES", [plan]), ("b", "FP64", [1])]
    inputs = [{"name": n, "shape": [1], "datatype": kind, "data": data} for n, kind, data in tensors]
    return json.dumps({"inputs": inputs}).encode()


@pytest.mark.parametrize(
    ("body", "status"),
    [(_row("free", name="ann@canary.example"), 422), (b'{"inputs": [], "ann@canary.example": 1, "inputs": []}', 400)],
    ids=["as a name", "as a key"],
)
def test_errors_of_a_private_signature_quote_nothing(bench, body, status):
    served = bench(signature=PRIVATE, predict=lambda rows: np.zeros(1))
    reply = served.plane.handle(served.call(body))
    (entry,) = served.written()
    assert (reply.status, entry.status) == (status, status)
    assert "canary" not in entry.error
    assert "refused; " in entry.error


def test_a_model_that_quotes_a_private_value_is_not_quoted(bench):
    served = bench(lambda rows: _raise(ValueError("cannot use ann@canary.example")), signature=PRIVATE)
    served.plane.handle(served.call(_row("free")))
    (entry,) = served.written()
    assert "canary" not in entry.error
    assert "ValueError" in entry.error


def test_a_full_house_is_worded_in_full_even_then(bench):
    served = bench(signature=PRIVATE)
    served.plane.refuse(served.call(b""), OverloadError("too many requests", fix="try again"))
    assert served.written()[0].error == "too many requests; try again"


def test_the_stages_one_by_one_do_what_handling_does(bench):
    served = bench()
    work, bad = served.plane.prepare(served.call(BODY, request_id="r-1")), served.plane.prepare(served.call(b"{"))
    assert work.question is not None
    assert (work.error, work.question.rows.matrix.shape, bad.question) == ("", (2, 3), None)
    assert bad.error
    served.plane.predict([work, bad])
    assert served.written() == []
    replies = [served.plane.finish(one) for one in (work, bad)]
    assert [reply.status for reply in replies] == [200, 400]
    assert json.loads(replies[0].body)["outputs"][0]["data"] == [6, 10]
    assert [(entry.request_id, entry.status) for entry in served.written()] == [("r-1", 200), (bad.request_id, 400)]


def test_an_input_that_killed_is_done_alone_once_more_and_then_refused(bench):
    seen = []

    def spied(rows):
        seen.append(served.pulse.inputs)
        return rows.matrix[:, 0]

    served = bench(spied)
    assert served.plane.handle(served.call(BODY)).status == 200
    in_hand = seen.pop()
    assert len(in_hand) == 1

    served.quarantine.blame(in_hand, machine_now())
    assert served.plane.handle(served.call(BODY)).status == 200
    assert served.quarantine.kills(in_hand[0], machine_now()) == 0, "what was answered is acquitted"

    for _ in range(2):
        served.quarantine.blame(in_hand, machine_now())
    refused = served.plane.handle(served.call(BODY, request_id="poison"))
    assert (refused.status, refused.retry_after_s) == (422, 0)
    assert b"quarantine: this input ended 2 replicas" in refused.body
    assert served.written()[-1].request_id == "poison"
    assert served.pulse.started_ns == 0, "a refusal is nothing in hand"
    assert served.plane.handle(served.call(BODY + b" ")).status == 200
    assert len(seen) == 2


def test_a_timeout_counts_from_the_door_and_only_that_of_the_client(bench):
    served = bench()
    early, at = "1699999999800000", {"request_id": "r"}  # 200 ms before the call arrived here
    assert served.plane.handle(served.call(BODY, timeout_ms="150", door_time=early, **at)).status == 504
    assert served.plane.handle(served.call(BODY, timeout_ms="900", door_time=early, **at)).status == 200
    assert served.plane.handle(served.call(BODY, door_time="1699999990000000", **at)).status == 200
    assert served.plane.handle(served.call(BODY, timeout_ms="900", door_time="soon", **at)).status == 200


def test_what_the_line_asks_of_the_door_is_in_the_pulse(bench):
    served = bench()
    served.plane.admit(3, 40)
    assert (served.pulse.limit, served.pulse.room) == (3, 40)


class Panic(BaseException):
    """What Rust code raises in Python: no `Exception`."""


def test_a_model_that_panics_is_broken_and_its_replica_is_not(bench):
    def panics(rows):
        raise Panic

    served = bench(panics)
    assert served.plane.handle(served.call(BODY)).status == 500
    assert served.pulse.deadline_ns == 0, "nothing is in hand, so the supervisor has nothing to kill"
    works = [served.plane.prepare(served.call(BODY)) for _ in range(2)]
    assert served.plane.predict(works) == 0
    assert [work.status for work in works] == [500, 500]
    (entry,) = served.written()
    assert entry.error.startswith("model_raised: the model raised: Panic")
