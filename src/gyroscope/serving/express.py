"""The ordinary request in one function: a body of one row of numbers, answered by one number, its log kept whole.

`Http` tries it first where nobody waits and the model is fast. What it returns and writes is, to the byte, what the
plane would; whatever is out of the ordinary, faults included, it leaves to the plane untouched. It refuses nothing.
"""

from __future__ import annotations

import struct

import xxhash

from gyroscope.clock import MachineTime, machine_now, wall_now
from gyroscope.ids import new_id
from gyroscope.models.runners import Checked, Runner
from gyroscope.predictions.segments.log import PredictionLog
from gyroscope.serving.dialects import OneRow
from gyroscope.serving.line import Line
from gyroscope.serving.plane import COUNTED_AS, Reply
from gyroscope.supervisor.pulse import Pulse

_hash = xxhash.xxh3_64_intdigest
_pack_answer = struct.Struct("<d").pack


class Express:
    """For one version; on the thread of the plane. `express` makes it."""

    def __init__(self, dialect: OneRow, runner: Checked, log: PredictionLog, pulse: Pulse, line: Line) -> None:
        self.dialect = dialect
        self._line = line
        self._read = dialect.one
        self._answer = dialect.answer_one
        self._one = runner.one
        self._log = log
        self._pulse = pulse
        self._deadline_ns = line.limits.deadline_ns
        self._quarantine = line.limits.quarantine
        self._pack = struct.Struct(f"<{dialect.width}d").pack

    def answer(self, body: bytes, arrived: MachineTime, request_id: str) -> Reply | None:
        """The reply; None when the plane must be asked instead."""
        values = self._read(body) if self._line.is_free else None
        if values is None:
            return None
        try:
            numbers = self._pack(*values)
        except struct.error:  # a null among them
            return None
        arrived_at, began = wall_now(), machine_now()
        if began - arrived >= self._deadline_ns:  # its body was slow to come
            return None
        input_hash = _hash(body) or 1
        if self._quarantine and self._quarantine.kills(input_hash, began):
            return None
        pulse, queued_ns = self._pulse, began - arrived
        pulse.begin_plain(began, arrived + self._deadline_ns, input_hash)
        output = self._one(numbers)
        ended = machine_now()
        pulse.end_plain(ended)
        if output is None:
            return None
        request_id = request_id or new_id(arrived_at)
        id_bytes = request_id.encode()
        busy_ns, latency_ns = ended - began, ended - arrived
        record = numbers + _pack_answer(output) + id_bytes
        logged = self._log.append_plain((record, len(id_bytes), arrived_at, latency_ns))
        pulse.served_plain(COUNTED_AS.get(logged, ""), busy_ns, queued_ns, latency_ns)
        self._line.passed(busy_ns, ended)
        return Reply(200, self._answer(output, request_id), request_id, logged)


def express(dialect: OneRow, runner: Runner, log: PredictionLog, pulse: Pulse, line: Line) -> Express | None:
    """None where no request can be ordinary: texts, several outputs, a runner or a log with more to do."""
    if not isinstance(runner, Checked) or not runner.takes_one:
        return None
    return Express(dialect, runner, log, pulse, line) if dialect.takes_one and log.takes_plain_rows else None
