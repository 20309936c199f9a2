"""The work of a replica, whatever brought the request: read, predict, write down, answer.

A transport makes a `Call` and hands it to `Plane.handle`, or to `refuse` when it must not be worked on; back comes a
whole `Reply`, or a `Pending` one whose entry is on its way to the disk: the transport awaits it and calls `settle`.
`handle` is three stages, `prepare`, `predict`, `finish`, for whoever puts several calls into one prediction. One stage
at a time, on the thread that beats. The plane knows no HTTP and no JSON.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import xxhash
from numpy.typing import NDArray

from gyroscope.clock import SECOND_NS, EventTime, MachineTime, machine_now
from gyroscope.errors import GyroscopeError, InputError, OutputError, OverloadError, StoreError
from gyroscope.ids import new_id
from gyroscope.models.runners import Rows, Runner
from gyroscope.predictions.segments.full import Waiting
from gyroscope.predictions.segments.log import Logged, PredictionLog
from gyroscope.predictions.segments.wal import LogEntry, Variant
from gyroscope.records import Version
from gyroscope.serving.dialects import Dialect, Headers, Question
from gyroscope.serving.envelope import read_event_time, read_id, read_timeout_ns, waited_ns
from gyroscope.serving.wording import error_words, one_line
from gyroscope.supervisor.pulse import MOST_INPUTS, Pulse
from gyroscope.supervisor.quarantine import FATAL, Quarantine

COUNTED_AS = {"os": "logged", "full": "logged", "no": "unlogged", "sampled": "sampled_out"}
"""The counter of the pulse that each word about an entry belongs to; nothing is lost where no log was asked for."""

# An answer that is late already, such as that to a slow body, gets this long to reach the disk.
LATE_NS = SECOND_NS // 10


SHADOW_PATIENCE = 10
"""Deadlines that a shadow has: nobody waits for what it says, and it stands back behind all who are waited for."""


class Limits(msgspec.Struct, frozen=True):
    """What a replica takes on: nothing from the quarantine; `max_in_flight` may wait while one is worked on.

    At most `batch_calls` share a prediction.
    """

    deadline_ns: int = SECOND_NS
    body_bytes: int = 1024 * 1024
    max_in_flight: int = 64
    batch_calls: int = MOST_INPUTS
    quarantine: Quarantine | None = None


class Call(msgspec.Struct):
    """One request as a transport saw it; an empty text is a header that was not there."""

    dialect: Dialect
    arrived: MachineTime
    arrived_at: EventTime
    body: bytes = b""
    request_id: str = ""
    event_time: str = ""
    timeout_ms: str = ""
    entity_key: str = ""
    door_time: str = ""
    variant: Variant = "live"


class Reply(msgspec.Struct, frozen=True):
    """What to send back. `retry_after_s` is 0 when trying again would not help."""

    status: int
    body: bytes
    request_id: str
    logged: Logged
    retry_after_s: int = 0
    headers: Headers = ()


class Pending(msgspec.Struct):
    """An answer that is not given before its entry is on the disk, or until `deadline` has passed."""

    waiting: Waiting
    deadline: MachineTime
    work: Work


class Work(msgspec.Struct):
    """What is known so far about a call; the log entry is made of it, however the call ends.

    With an `error` it only needs finishing; else `prepare` has set `question`, and `predict` sets `outputs`.
    """

    call: Call
    request_id: str
    event_time: EventTime
    deadline: MachineTime
    entity_key: str = ""
    input_hash: int = 0
    is_suspect: bool = False
    question: Question | None = None
    outputs: NDArray[np.float64] | None = None
    status: int = 200
    body: bytes = b""
    headers: Headers = ()
    error: str = ""

    @property
    def rows(self) -> Rows:
        assert self.question is not None, "prepared, and without an error"
        return self.question.rows


class Plane:
    """One version of one model, with its log and its pulse."""

    def __init__(
        self,
        version: Version,
        runner: Runner,
        log: PredictionLog,
        pulse: Pulse,
        limits: Limits,
    ) -> None:
        self.version = version
        self.limits = limits
        self._runner = runner
        self._log = log
        self._pulse = pulse
        self._quarantine = limits.quarantine
        self._words = error_words(version.signature)

    def handle(self, call: Call) -> Reply | Pending:
        """Answer one call. Never raises for anything that a client, a model or a full disk can do."""
        work = self.prepare(call)
        self.predict([work])
        return self.finish(work)

    def prepare(self, call: Call) -> Work:
        """Read a call: its rows, or why there is no answer."""
        work = self._begin(call)
        try:
            self._read_envelope(work)
            self._read(work)
        except (InputError, OverloadError) as error:
            self._complain(work, error)
        return work

    def predict(self, works: Sequence[Work]) -> int:
        """Ask the model about prepared calls, together when there are several; those with an error are passed over.

        What fails together is asked one by one, so that a bad call answers for itself alone. Returns the nanoseconds
        of the one prediction that answered all who asked, 0 when it took several or none.
        """
        if len(works) == 1:
            return 0 if works[0].error else self._ask(works[0])
        asked = [work for work in works if not work.error]
        together = [work for work in asked if not work.is_suspect]
        took_ns = self._ask_together(together) if together else 0
        if took_ns and len(together) == len(asked):
            return took_ns
        for work in asked:
            if work.outputs is None and not work.error:
                self._ask_in_time(work)
        return 0

    def _ask_in_time(self, work: Work) -> None:
        """Predict for one call of several that had to wait for each other, unless its time is up by now."""
        if machine_now() < work.deadline:
            self._ask(work)
        else:
            self._complain(work, self._too_late())

    def _ask(self, work: Work) -> int:
        """Predict for one call, while the parent looks at its deadline; 0 when it failed, and it is told why."""
        began = machine_now()
        self._pulse.begin(began, work.deadline, (work.input_hash,), began - work.call.arrived)
        try:
            work.outputs = self._runner.predict(work.rows)
        except (InputError, OutputError) as error:
            self._complain(work, error)
        finally:
            ended = machine_now()
            self._pulse.end(ended)
        if work.is_suspect and self._quarantine:
            self._quarantine.acquit(work.input_hash)  # it came back: whatever died with it died of something else
        return 0 if work.error else ended - began

    def _ask_together(self, works: Sequence[Work]) -> int:
        """Predict for several, while the parent looks at the latest deadline; 0 when that failed for any reason."""
        if len(works) == 1:
            return self._ask(works[0])
        rows = joined([work.rows for work in works])
        began = machine_now()
        waited_ns = sum([began - work.call.arrived for work in works])
        hashes = [work.input_hash for work in works]
        self._pulse.begin(began, max([work.deadline for work in works]), hashes, waited_ns)
        try:
            outputs = self._runner.predict(rows)
        except GyroscopeError:
            return 0
        finally:
            ended = machine_now()
            self._pulse.end(ended)
        at = 0
        for work in works:
            work.outputs = outputs[at : at + len(work.rows.matrix)]
            at += len(work.rows.matrix)
        return ended - began

    def finish(self, work: Work) -> Reply | Pending:
        """Answer, log, count, reply: in this order, so that no reply leaves without its entry."""
        work.request_id = work.request_id or new_id(work.call.arrived_at)
        if work.question is not None and work.outputs is not None:
            work.body, work.headers = work.call.dialect.answer(work.question, work.outputs, work.request_id)
        latency_ns = machine_now() - work.call.arrived
        logged = self._write_down(work, latency_ns)
        if isinstance(logged, Waiting):
            return Pending(logged, MachineTime(max(work.deadline, machine_now() + LATE_NS)), work)
        return self._reply(work, logged, latency_ns)

    def refuse(self, call: Call, error: InputError | OverloadError) -> Reply | Pending:
        """Write down and reply that a call is not worked on: too large, too slow, too many."""
        work = self._begin(call)
        try:
            self._read_envelope(work)
        except InputError:
            work.entity_key = ""  # the first reason stands; a bad header beside it changes nothing
        self._complain(work, error)
        self._pulse.add("rejected")
        return self.finish(work)

    def settle(self, pending: Pending) -> Reply:
        """The reply to a pending answer, now that its entry is on the disk, has failed or has taken too long."""
        work = pending.work
        try:
            logged = self._log.settled(pending.waiting)
        except StoreError:
            logged = self._not_given(work)
        return self._reply(work, logged, machine_now() - work.call.arrived)

    def admit(self, limit: int, room: int) -> None:
        """Tell the door, through the pulse, how many requests to send at once and how many may wait there."""
        self._pulse.admit(limit, room)

    def wait(self, calls: int) -> None:
        """Tell who looks, through the pulse, how many are in line."""
        self._pulse.wait(calls)

    def turn_away(self) -> None:
        """Count what has no valid key or is no request. It gets no log entry: a stranger must not fill the log."""
        self._pulse.add("rejected")
        self._pulse.add("requests_4xx")

    def broken(self, call: Call) -> Reply:
        """The reply when handling met a fault of our own: whether there is an entry is not known."""
        status, body = call.dialect.complain(500, "internal fault: the replica's own log says more")
        self._pulse.add("requests_5xx")
        self._pulse.add("unlogged")
        return Reply(status, body, new_id(call.arrived_at), "no")

    def _begin(self, call: Call) -> Work:
        patience = SHADOW_PATIENCE if call.variant == "shadow" else 1
        deadline = MachineTime(call.arrived + patience * self.limits.deadline_ns)
        return Work(call, "", call.arrived_at, deadline)

    def _read_envelope(self, work: Work) -> None:
        call = work.call
        if call.request_id:
            work.request_id = read_id(call.request_id, "X-Request-Id")
        if call.entity_key:
            work.entity_key = read_id(call.entity_key, "X-Entity-Key")
        if call.event_time:
            work.event_time = read_event_time(call.event_time, "X-Event-Time")
        if call.timeout_ms:
            timeout_ns = read_timeout_ns(call.timeout_ms, self.limits.deadline_ns)
            work.deadline = MachineTime(call.arrived + timeout_ns - waited_ns(call.door_time, call.arrived_at))

    def _read(self, work: Work) -> None:
        now = machine_now()
        if now >= work.deadline:
            raise self._too_late()
        work.input_hash = xxhash.xxh3_64_intdigest(work.call.body) or 1
        kills = self._quarantine.kills(work.input_hash, now) if self._quarantine else 0
        if kills >= FATAL:
            self._pulse.add("rejected")
            raise InputError(
                f"this input ended {kills} replicas of this version and is refused for now",
                where="quarantine",
                fix="see the events of the supervisor; mend the model, or send another input",
            )
        work.is_suspect = kills > 0
        question = work.question = work.call.dialect.read(work.call.body)
        if question.event_time is not None and not work.call.event_time:
            work.event_time = question.event_time

    def _too_late(self) -> OverloadError:
        self._pulse.add("rejected")
        return OverloadError("the deadline passed before the model could start", fix="try again", status=504)

    def _reply(self, work: Work, logged: Logged, latency_ns: int) -> Reply:
        pulse = self._pulse
        if work.status == 200 and work.outputs is not None and logged in COUNTED_AS:
            pulse.served(len(work.outputs), COUNTED_AS[logged], latency_ns)
            return Reply(200, work.body, work.request_id, logged, 0, work.headers)
        if logged in COUNTED_AS:
            pulse.add(COUNTED_AS[logged])
        pulse.add(f"requests_{work.status // 100}xx")
        if work.outputs is not None and work.status == 200:
            pulse.add("rows", len(work.outputs))
        if work.status != 200:
            pulse.add("failed_ns", max(latency_ns, 0))
        pulse.observe_latency(latency_ns)
        retry_after_s = 1 if work.status == 503 else 0
        # A canary says no to nobody: the door repeats a 500 with the champion, whose word counts.
        status = 500 if work.call.variant == "canary" and work.status != 200 else work.status
        return Reply(status, work.body, work.request_id, logged, retry_after_s, work.headers)

    def _write_down(self, work: Work, latency_ns: int) -> Logged | Waiting:
        question = work.question
        entry = LogEntry(
            request_id=work.request_id,
            event_time=work.event_time,
            arrival_time=work.call.arrived_at,
            latency_ns=latency_ns,
            status=work.status,
            matrix=question.rows.matrix if question else None,
            outputs=work.outputs,
            unseen=question.rows.unseen if question else (),
            client_id=question.client_id if question else "",
            entity_key=work.entity_key,
            error=work.error,
            variant=work.call.variant,
        )
        try:
            return self._log.submit(entry)
        except StoreError:
            return self._not_given(work)

    def _not_given(self, work: Work) -> Logged:
        """The policy is fail_closed: no answer without its entry."""
        self._complain(work, OverloadError("the prediction could not be written down, so it is not given"))
        return "no"

    def _complain(self, work: Work, error: InputError | OverloadError | OutputError) -> None:
        if isinstance(error, OutputError):
            status = 500
            # What the model said stays in the log: it may hold paths and secrets.
            shown = "model_output_invalid: the model gave no valid answer; its log entry under this request id says why"
        else:
            status, shown = error.status, one_line(error)
        work.error = self._words(error)
        work.status, work.body = work.call.dialect.complain(status, shown)
        work.headers = ()


def joined(parts: Sequence[Rows]) -> Rows:
    """Rows of several calls, one after the other.

    >>> a, b = Rows(np.zeros((2, 1))), Rows(np.ones((1, 1)), unseen=((0, 0, "new"),))
    >>> joined([a, b]).matrix.tolist(), joined([a, b]).unseen
    ([[0.0], [0.0], [1.0]], ((2, 0, 'new'),))
    """
    unseen: list[tuple[int, int, str]] = []
    at = 0
    for part in parts:
        unseen += [(at + row, column, text) for row, column, text in part.unseen]
        at += len(part.matrix)
    return Rows(np.concatenate([part.matrix for part in parts]), tuple(unseen))
