"""S19: a replica is added under load; how long until it has given its first answer, from a warm pool and without one.

From the moment the supervisor is told of one more replica until that one's own counter shows an answer. Each time the
size goes back and the pool is full again before the next try.
"""

from __future__ import annotations

import statistics
import threading
import time
from pathlib import Path

import msgspec

from benchmarks.house import MODEL, Running, running, wait_for
from benchmarks.rows import Row, at_most
from benchmarks.serving.models import NAMES, make
from benchmarks.serving.paced import Kind, Plan, failed, paced
from benchmarks.target import Options
from gyroscope.assembly.plan import wanted
from gyroscope.clock import wall_now
from gyroscope.errors import ProcessError
from gyroscope.models import Candidate
from gyroscope.records import Size
from gyroscope.supervisor.processes import marked
from gyroscope.supervisor.procfs import command_line
from gyroscope.supervisor.pulse import Pulse
from gyroscope.supervisor.wanted import WANTED_FILE, write_wanted

RATE, PATIENCE_S = 200.0, 20.0


def measure(options: Options) -> list[Row]:
    """With a pool of one, and without."""
    tries = 5 if options.is_quick else 20
    warm, lost = _added(options, 1, tries)
    cold, _ = _added(options, 0, 3)
    print(f"S19: warm {_shown(warm)}; without a pool {_shown(cold)}", flush=True)
    claim = f"added replica to its first answer, warm pool (without: {1000 * statistics.median(cold):.0f} ms)"
    return [
        at_most("S19", claim, 1000 * statistics.median(warm), 300.0, "ms", tries),
        at_most("S19", "requests failed while replicas came and went", lost, 0, "requests", tries),
    ]


def _added(options: Options, pool: int, tries: int) -> tuple[list[float], int]:
    served = make("lr", options.folder, options.seed)
    candidate = Candidate(MODEL, "onnx", served.signature, served.artifact)
    folder = options.folder / f"pool-{pool}"
    with running(folder, replicas=1, candidate=candidate, serving={"warm": pool}) as house:
        body = msgspec.json.encode({"dataframe_split": {"columns": NAMES, "data": [served.rows[0].tolist()]}})
        headers = {"Authorization": f"Bearer {house.key}", "Content-Type": "application/json"}
        plan = Plan(house.port, f"/models/{MODEL}/invocations", headers, [Kind(1, [body])], RATE, 4.0 * tries)
        took: list[float] = []
        trying = threading.Thread(target=lambda: took.extend(_one(house, pool) for _ in range(tries)))
        trying.start()
        seen = paced(plan, options.folder)
        trying.join()
    return took, failed(seen)


def _one(house: Running, pool: int) -> float:
    _wait(lambda: _idle(house) >= pool, "the pool is full")
    pulse = house.house.pulse(f"{MODEL}-{house.version.version}-1")
    pulse.unlink(missing_ok=True)
    _resize(house, 2)
    began = time.monotonic()
    _wait(lambda: _answers(pulse) > 0, "the new replica answers")
    took = time.monotonic() - began
    _resize(house, 1)
    _wait(lambda: len(house.pids("replica")) == 1, "it has gone")
    return took


def _resize(house: Running, replicas: int) -> None:
    """What control does within a second of a change; told here at once, since that second is not the pool's."""
    house.house.routes.set_size(Size(MODEL, replicas), reason="S19", now=wall_now())
    write_wanted(house.house.run_dir / WANTED_FILE, wanted(house.house))


def _answers(path: Path) -> int:
    try:
        pulse = Pulse.open(path)
    except ProcessError:
        return 0
    found = pulse.counters()["requests_2xx"]
    pulse.close()
    return found


def _idle(house: Running) -> int:
    """Processes that wait and have imported everything: they read their orders and use no processor."""
    waiting = [pid for pid in marked(house.house.run_dir) if "warm" in command_line(pid)]
    busy = set(house.pids("replica"))
    return sum(pid not in busy and "pipe_read" in Path(f"/proc/{pid}/wchan").read_text() for pid in waiting)


def _wait(holds: object, what: str) -> None:
    if wait_for(holds, PATIENCE_S, 0.001) == float("inf"):  # type: ignore[arg-type]
        raise RuntimeError(f"not within {PATIENCE_S:.0f} s: {what}")


def _shown(took: list[float]) -> str:
    return ", ".join(f"{1000 * one:.0f}" for one in took) + " ms"
