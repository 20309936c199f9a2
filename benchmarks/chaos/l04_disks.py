"""L4: disks that are full, out of inodes, frozen, read-only, or give errors; serving goes on and the log stays honest.

Per fault: the same load before, during and after; what was acknowledged as logged is looked for afterwards; an alert
must stand within ten seconds; and everything must be well again by itself once the fault is lifted.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.chaos.disks import Disk, disk, fill, fill_inodes, memory_disk, remove
from benchmarks.checker import settle
from benchmarks.house import Running, running, wait_for
from benchmarks.ledger import KEPT, between, p99_ms, read
from benchmarks.load import load
from benchmarks.metrics import alerts
from benchmarks.rows import Row, at_most, control, with_control
from benchmarks.target import Options

RATE = 250.0
ALERT_S, HEAL_S = 10.0, 60.0
# Not `write`: threads wake each other by it, and an event that cannot be written is no fault of a disk.
WRITES = "pwrite64,pwritev,fallocate,ftruncate,rename,renameat,renameat2,link,linkat,mkdir"
SYNCS = "fsync,fdatasync"
# These say what happened within the last minute or hour; the others go with their cause.
HISTORY = {"log_loss", "log_damage"}
Step = Callable[[], object]


class Fault(NamedTuple):
    """How to bring it about and how to lift it; the load before and after runs beside what `quiet` starts."""

    name: str
    inject: Step
    lift: Step
    quiet: Callable[[], AbstractContextManager[object]] = nullcontext


class Found(NamedTuple):
    """What one fault did. Infinite where the alert or the healing never came."""

    name: str
    p99_ratio: float
    before_ms: float
    lost: int
    unlogged: int
    alert_s: float
    heal_s: float
    n: int


class Scene(NamedTuple):
    """A house whose home, tables and memory each lie on a file system of its own."""

    house: Running
    ledger: Path
    home: Disk
    tables: Disk
    memory: Path


def measure(options: Options) -> list[Row]:
    """Every fault on a house with `os`, errors of the disk on one with `full`, and a house that lies as control."""
    seconds = 3.0 if options.is_quick else 20.0
    found = [
        *_all(options.folder / "os", "os", seconds, _faults_with_os),
        *_all(options.folder / "room", "full", seconds, _room_with_full),
        *_all(options.folder / "sync", "full", seconds, _sync_with_full),
    ]
    for one in found:
        print(
            f"L4 {one.name}: p99 x{one.p99_ratio:.2f} of {one.before_ms:.1f} ms, lost {one.lost}, unlogged and said so "
            f"{one.unlogged}, alert after {one.alert_s:.1f} s, healed after {one.heal_s:.1f} s, n {one.n}"
        )
    total = sum(one.n for one in found)
    slowest, latest = max(found, key=lambda one: one.p99_ratio), max(found, key=lambda one: one.alert_s)
    last = max(found, key=lambda one: one.heal_s)
    rows = [
        at_most("L4", f"serving p99, worst of {len(found)} faults: {slowest.name}", slowest.p99_ratio, 1.5, "x", total),
        at_most("L4", "acknowledged as logged and lost", sum(one.lost for one in found), 0, "predictions", total),
        at_most("L4", f"alert, latest: {latest.name}", latest.alert_s, ALERT_S, "s", len(found)),
        at_most("L4", f"heals by itself, slowest: {last.name}", last.heal_s, HEAL_S, "s", len(found)),
    ]
    lost, asked = _lying(options.folder / "control")
    return with_control(rows, control("L4", "replicas say 'os' for what did not fit, lost", lost, "predictions", asked))


def suffer(scene: Scene, fault: Fault, seconds: float) -> Found:
    """One fault under load: before, during, after."""
    house, ledger = scene.house, scene.ledger
    with load(house, ledger, RATE):
        time.sleep(1.0)
        before = _undisturbed(fault, seconds)
        known = alerts(house)
        began_ns = time.monotonic_ns()
        fault.inject()
        # Filling a disk or attaching strace is our own work: latency counts from when the fault stands, the alert not.
        stands_ns = time.monotonic_ns()
        try:
            wait_for(lambda: alerts(house) - known, ALERT_S + 5, 0.1)
            alert_s = (time.monotonic_ns() - began_ns) / 1e9 if alerts(house) - known else float("inf")
            time.sleep(max(0.0, seconds - (time.monotonic_ns() - stands_ns) / 1e9))
            ended_ns = time.monotonic_ns()
        finally:
            fault.lift()
        heal_s = wait_for(lambda: _is_kept(ledger) and not alerts(house) - HISTORY, HEAL_S, 0.1)
        if heal_s == float("inf"):
            print(f"L4 {fault.name}: still {alerts(house)}")
        after = _undisturbed(fault, seconds)
    verdict = settle(house, ledger, 30.0, before[0])
    if not verdict.is_clean:
        print(f"L4 {fault.name}: {verdict}")
    book = read(ledger)
    calm = np.concatenate([between(book, *before), between(book, *after)])
    rough = between(book, stands_ns, ended_ns)
    unlogged = int(np.count_nonzero(~np.isin(rough["logged"], KEPT)))
    ratio = p99_ms(rough) / p99_ms(calm)
    return Found(fault.name, ratio, p99_ms(calm), verdict.lost + verdict.wrong, unlogged, alert_s, heal_s, len(rough))


def _undisturbed(fault: Fault, seconds: float) -> tuple[int, int]:
    """The load alone, for a while: from when to when."""
    with fault.quiet():
        start_ns = time.monotonic_ns()
        time.sleep(seconds)
        return start_ns, time.monotonic_ns()


def _is_kept(ledger: Path) -> bool:
    """Whether the newest replies all promised a row."""
    newest = read(ledger)[-50:]
    return bool(np.isin(newest["logged"], KEPT).all())


def _all(folder: Path, log: str, seconds: float, faults_of: Callable[[Scene], list[Fault]]) -> list[Found]:
    with _scene(folder, log) as scene:
        return [suffer(scene, fault, seconds) for fault in faults_of(scene)]


def _faults_with_os(scene: Scene) -> list[Fault]:
    memory, home, house = scene.memory, scene.home.mount, scene.house
    return [
        Fault("full memory", lambda: fill(memory), lambda: remove(memory / "ballast")),
        Fault("no inodes", lambda: fill_inodes(memory), lambda: remove(memory / "crowd")),
        Fault("frozen disk", scene.home.freeze, scene.home.thaw),
        Fault("read-only tables", lambda: scene.tables.remount("ro"), lambda: scene.tables.remount("rw")),
        Fault("full disk", lambda: fill(home), lambda: remove(home / "ballast")),
        injected(house, "recorder", f"{WRITES},{SYNCS}", "ENOSPC"),
        injected(house, "recorder", f"{WRITES},{SYNCS}", "EIO"),
    ]


def _room_with_full(scene: Scene) -> list[Fault]:
    home = scene.home.mount
    return [
        Fault("full disk, `full`", lambda: fill(home), lambda: remove(home / "ballast")),
        injected(scene.house, "replica", WRITES, "ENOSPC"),
    ]


def _sync_with_full(scene: Scene) -> list[Fault]:
    """In a house of its own: an alert about losses stands for a minute, and the next could not be told from it."""
    return [injected(scene.house, "replica", SYNCS, "EIO")]


def injected(house: Running, kind: str, calls: str, error: str) -> Fault:
    """A fault that strace puts into system calls; the load without it runs under strace too, which costs the same."""
    tracers: list[subprocess.Popen[bytes]] = []

    def inject() -> None:
        tracers.append(_trace(house, kind, calls, f"inject={calls}:error={error}"))

    def lift() -> None:
        _untrace(tracers.pop())

    @contextmanager
    def quiet() -> Iterator[None]:
        tracer = _trace(house, kind, calls, f"trace={calls}")
        try:
            yield
        finally:
            _untrace(tracer)

    return Fault(f"{kind} {error}", inject, lift, quiet)


def _trace(house: Running, kind: str, calls: str, what: str) -> subprocess.Popen[bytes]:
    pids = [word for pid in house.pids(kind) for word in ("-p", str(pid))]
    argv = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}", "-e", what, *pids]
    tracer = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.3)
    return tracer


def _untrace(tracer: subprocess.Popen[bytes]) -> None:
    tracer.terminate()
    tracer.wait(10)


def _lying(folder: Path) -> tuple[int, int]:
    """(lost, asked) where replicas say "os" although the memory for it is full."""
    with _scene(folder, "os", {"BENCH_SABOTAGE": "lie"}, replicas=1) as scene:
        with load(scene.house, scene.ledger, 800.0):
            wait_for(lambda: len(read(scene.ledger)) > 100, 10)
            fill(scene.memory)
            time.sleep(7.0)
            remove(scene.memory / "ballast")
        return settle(scene.house, scene.ledger, 4.0).lost, len(read(scene.ledger))


@contextmanager
def _scene(folder: Path, log: str, hooks: dict[str, str] | None = None, replicas: int = 2) -> Iterator[Scene]:
    # Sockets lie in the memory disk, and their names must be short.
    with ExitStack() as stack:
        memory = stack.enter_context(memory_disk(Path("/dev/shm") / f"gyro-l4-{os.getpid()}", 48))
        home = stack.enter_context(disk(folder / "home.img", folder / "home", 256))
        tables = stack.enter_context(disk(folder / "tables.img", home.mount / "home" / "tables", 256))
        (tables.mount / "lost+found").rmdir()
        ledger = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "ledger"
        settings = {
            "home": str(home.mount / "home"),
            "runtime_dir": str(memory / "run"),
            "serving": {"log": log, "segment_cap_mib": 8},
        }
        house = stack.enter_context(running(folder / "place", hooks=hooks, replicas=replicas, **settings))
        yield Scene(house, ledger, home, tables, memory)
