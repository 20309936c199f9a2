"""S8, S9, S10: ours against itself: with the log on and off, against its bare parts, and alone on one connection.

All in the same rounds, LogisticRegression compiled to ONNX, one row of 20 floats as JSON. The bare parts of S9 are the
chosen server answering a constant, each head parsed as HTTP wants it, and the compiled model asked in a loop through
onnxruntime's own `run`. What the server costs with its memory of heads is printed beside it.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import msgspec
import numpy as np
import onnxruntime

from benchmarks.house import free_port
from benchmarks.rows import Row, at_least, at_most
from benchmarks.serving.closed import closed_loop
from benchmarks.serving.contestants import V2, Contestant, ours_direct, process, wait_ready
from benchmarks.serving.cores import GENERATOR, SERVER
from benchmarks.serving.models import Served, make
from benchmarks.serving.rounds import interleave
from benchmarks.target import Options

OURS, NO_LOG, HELLO, REMEMBERING = "ours, direct", "ours, log off", "hello", "hello, heads remembered"
CALLS = 5_000


def measure(options: Options) -> list[Row]:
    """The rows, all from the same rounds."""
    served = make("lr", options.folder, options.seed)
    # Many short rounds: what else the machine does comes in bursts of seconds, and medians pass over them.
    rounds, seconds = (9, 1.0) if options.is_quick else (21, 3.0)
    with ExitStack() as stack:
        ours = stack.enter_context(ours_direct(served, options.folder / "on"))
        off = stack.enter_context(ours_direct(served, options.folder / "off", log="off"))
        without = msgspec.structs.replace(off, name=NO_LOG)
        hello, remembering = stack.enter_context(_hello(HELLO)), stack.enter_context(_hello(REMEMBERING, "remembering"))
        for one in (ours, without):
            wait_ready(one, served)
        bare = _bare_call(served)
        found = interleave((ours, without, hello, remembering), served, rounds=rounds, seconds=seconds)
        bodies = ours.bodies(served)
        alone = [closed_loop(ours.url, bodies, ours.headers, connections=1, seconds=seconds) for _ in range(rounds)]
        bare_us = statistics.median([_on_server_core(bare) for _ in range(rounds)])
    on, silent, parts_us = found[OURS], found[NO_LOG], found[HELLO].cpu_us + bare_us
    said = f"CPU a request, log on, recorder included, of hello + bare call ({on.cpu_us:.1f} of "
    said += f"{found[HELLO].cpu_us:.1f} + {bare_us:.1f} us)"
    p50_ms = statistics.median([one.p50_ms for one in alone])
    return [
        at_least("S8", "requests/s with the log on, of those with it off", on.per_s / silent.per_s, 0.95, "x", rounds),
        at_most("S8", "p99 with the log on, of that with it off", on.p99_ms / silent.p99_ms, 1.10, "x", rounds),
        at_most("S9", said, on.cpu_us / parts_us, 1.4, "x", rounds),
        at_most("S10", "p50 at one connection, direct, log on", p50_ms, 0.15, "ms", rounds),
    ]


@contextmanager
def _hello(name: str, *how: str) -> Iterator[Contestant]:
    port = free_port()
    with process([sys.executable, "-m", "benchmarks.serving.hello", str(port), *how]) as pid:
        yield Contestant(name, port, (pid,), V2, {"Content-Type": "application/json", "Authorization": "Bearer x"})


def _bare_call(served: Served) -> Callable[[], object]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(served.artifact.read_bytes(), options, providers=["CPUExecutionProvider"])
    name, output = session.get_inputs()[0].name, session.get_outputs()[-1].name
    feed = {name: served.rows[:1].astype(np.float32)}
    return lambda: session.run([output], feed)


def _on_server_core(call: Callable[[], object]) -> float:
    """Microseconds of processor time a call."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {SERVER})
    try:
        began = time.process_time()
        for _ in range(CALLS):
            call()
        return (time.process_time() - began) / CALLS * 1e6
    finally:
        os.sched_setaffinity(0, before or {GENERATOR})
