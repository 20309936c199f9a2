"""The ordinary request: a body of one row of numbers, answered by one number, its log kept whole.

`Http` brings those that came in one turn of the loop where nobody waits and the model is fast: they share clocks, pulse
and learning, and the model is asked about one after the other, or about all at once where its runner is faster so. What
is returned and written of each is, to the byte, what the plane would; whatever is out of the ordinary, faults included,
is left to the plane untouched.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING

import xxhash

from gyroscope.clock import EventTime, MachineTime, machine_now, wall_now
from gyroscope.ids import new_id
from gyroscope.models.runners import Checked, Runner
from gyroscope.predictions.segments.log import PredictionLog
from gyroscope.predictions.segments.wal import PlainRow
from gyroscope.serving.dialects import OneRow
from gyroscope.serving.line import Line
from gyroscope.serving.plane import COUNTED_AS, Reply
from gyroscope.supervisor.pulse import Pulse

if TYPE_CHECKING:
    from gyroscope.serving.connection import Connection
    from gyroscope.serving.http import Route

TOGETHER = 16
"""Requests of a turn at most: a quick model then has the thread for 3 ms before anybody looks at what it took."""

_hash = xxhash.xxh3_64_intdigest
_pack_answer = struct.Struct("<d").pack

Asked = tuple[OneRow, bytes, MachineTime, str, "Connection", "Route"]
"""A request: the language and bytes of its body, its arrival, its id if it has one; whose it is, for `Http` alone."""


class Express:
    """For one version; on the thread of the plane. `express` makes it."""

    def __init__(
        self, dialects: Sequence[OneRow], runner: Checked, log: PredictionLog, pulse: Pulse, line: Line
    ) -> None:
        self.dialects = dialects
        self._line = line
        self._one, self._several = runner.one, runner.several
        shares = line.limits.batch_calls >= TOGETHER  # a smaller number asks for predictions that few share, or none
        self._several_from = runner.several_from if shares else 0
        self._log = log
        self._pulse = pulse
        self._deadline_ns = line.limits.deadline_ns
        self._quarantine = line.limits.quarantine
        self._pack = struct.Struct(f"<{dialects[0].width}d").pack

    def answer(self, asked: Sequence[Asked]) -> list[Reply | None]:
        """A reply to each of at most `TOGETHER`, in the order of their arrival; None where the plane is to be asked."""
        if not self._line.is_free:
            return [None] * len(asked)
        pulse, now, arrived_at = self._pulse, machine_now(), wall_now()
        rows = [self._read(request, now) for request in asked]
        if self._quarantine and not self._quarantine.is_empty:
            rows = [row if row and not self._quarantine.kills(row[1], now) else None for row in rows]
        began = machine_now()
        arrived = [request[2] for request, row in zip(asked, rows, strict=True) if row is not None]
        if not arrived:
            return [None] * len(asked)
        pulse.begin_turn(began, max(arrived) + self._deadline_ns)
        try:
            outputs = self._ask(rows)
        finally:
            ended = machine_now()
            pulse.end_turn(ended)
        return self._write_down(asked, rows, outputs, (arrived_at, began, ended))

    def _read(self, request: Asked, now: MachineTime) -> tuple[bytes, int] | None:
        """The row as bytes and the hash of its body; None for what is not ordinary."""
        dialect, body, arrived, _, _, _ = request
        values = dialect.one(body)
        if values is None or now - arrived >= self._deadline_ns:  # its body was slow to come
            return None
        try:
            numbers = self._pack(*values)
        except struct.error:  # a null among them
            return None
        return numbers, _hash(body) or 1

    def _ask(self, rows: Sequence[tuple[bytes, int] | None]) -> list[float | None]:
        """What the model says of each; None also where that is no answer."""
        pulse, one = self._pulse, self._one
        ready = [row for row in rows if row is not None]
        if 0 < self._several_from <= len(ready):
            pulse.hold_all([input_hash for _, input_hash in ready])
            said = iter(self._several([numbers for numbers, _ in ready]))
            return [None if row is None else next(said) for row in rows]
        outputs: list[float | None] = []
        for row in rows:
            if row is not None:
                pulse.hold(row[1])
            outputs.append(None if row is None else one(row[0]))
        return outputs

    def _write_down(
        self,
        asked: Sequence[Asked],
        rows: Sequence[tuple[bytes, int] | None],
        outputs: Sequence[float | None],
        times: tuple[EventTime, MachineTime, MachineTime],
    ) -> list[Reply | None]:
        """Log, count and reply; `times` say when the turn was looked at, and from when to when the model had it."""
        (arrived_at, began, ended), came = times, []
        answers: list[tuple[bytes, str] | None] = []
        records: list[PlainRow] = []
        for (dialect, _, arrived, request_id, _, _), row, output in zip(asked, rows, outputs, strict=True):
            if row is None or output is None:
                answers.append(None)
                continue
            request_id = request_id or new_id(arrived_at)
            id_bytes = request_id.encode()
            came.append(arrived)
            answers.append((dialect.answer_one(output, request_id), request_id))
            records.append((row[0] + _pack_answer(output) + id_bytes, len(id_bytes), arrived_at, ended - arrived))
        said = self._log.append_plain(records)
        if came:
            self._pulse.served_turn(came, began, ended)
            for logged in set(said):
                if logged in COUNTED_AS:
                    self._pulse.add(COUNTED_AS[logged], said.count(logged))
            self._line.passed((ended - began) // len(came), ended)
        told = iter(said)
        return [None if answer is None else Reply(200, *answer, next(told)) for answer in answers]


def express(dialects: Sequence[OneRow], runner: Runner, log: PredictionLog, pulse: Pulse, line: Line) -> Express | None:
    """None where no request can be ordinary: texts, several outputs, a runner or a log with more to do."""
    if not isinstance(runner, Checked) or not runner.takes_one or not log.takes_plain_rows:
        return None
    fitting = [dialect for dialect in dialects if dialect.takes_one]
    return Express(fitting, runner, log, pulse, line) if fitting else None
