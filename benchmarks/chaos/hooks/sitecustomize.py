"""Put on PYTHONPATH of a house's processes by the harness: kill points, sabotage and haste, by environment variables.

The product knows nothing of it. BENCH_POINTS names a folder: a process that reaches the point P while `P.arm` lies
there takes the file (renaming is atomic, so exactly one process does) and ends or stops itself as the file says.
"""

import importlib.abc
import importlib.util
import os
import signal
import sys

POINTS = os.environ.get("BENCH_POINTS", "")
SABOTAGE = os.environ.get("BENCH_SABOTAGE", "")
HASTE = os.environ.get("BENCH_HASTE", "")


def point(name):
    """Die or stop here if somebody asked for it."""
    mine = f"{POINTS}/{name}.hit.{os.getpid()}"
    try:
        os.rename(f"{POINTS}/{name}.arm", mine)  # noqa: PTH104  # every append comes by here
    except OSError:
        return
    with open(mine) as file:  # noqa: PTH123  # no import that the process would not make itself
        wish = file.read()
    os.kill(os.getpid(), signal.SIGSTOP if wish == "stop" else signal.SIGKILL)


def around(owner, method, before="", after=""):
    """Points before and after a method."""
    real = getattr(owner, method)

    def wrapped(*args, **named):
        if before:
            point(before)
        given = real(*args, **named)
        if after:
            point(after)
        return given

    setattr(owner, method, wrapped)


def patch_log(module):
    log = module.PredictionLog
    if SABOTAGE == "ack_first":
        acknowledge_first(log)
    if SABOTAGE == "lie":
        lie(log)
    if POINTS:
        around(log, "append", before="write", after="reply")


def acknowledge_first(log):
    """Say "os" first and write with the next request."""
    real = log.append

    def append(self, entry):
        held = self.__dict__.pop("held", None)
        self.held = entry
        if held is not None:
            real(self, held)
        return "os"

    log.append = append


def lie(log):
    """Say "os" for what could not be written."""
    real = log.append

    def append(self, entry):
        real(self, entry)
        return "os"

    log.append = append


def patch_commits(module):
    if POINTS:
        around(module.Commits, "append", after="commit")


def patch_ids(module):
    if POINTS:
        around(module.IdIndex, "take_in_entries", after="index")


def patch_recorder(module):
    if HASTE:
        module.Recorder.__init__.__kwdefaults__["commit_every_s"] = 0.1


def patch_watch(module):
    if HASTE:
        module.back_off_ns = lambda failures: 50_000_000


PATCHES = {
    "gyroscope.predictions.segments.log": patch_log,
    "gyroscope.predictions.tables.commits": patch_commits,
    "gyroscope.predictions.ids.index": patch_ids,
    "gyroscope.predictions.recording.recorder": patch_recorder,
    "gyroscope.supervisor.watch": patch_watch,
}


class Patcher(importlib.abc.MetaPathFinder):
    """Finds a module as ever and patches it once it is loaded."""

    def find_spec(self, name, path, target=None):
        if name not in PATCHES:
            return None
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            sys.meta_path.insert(0, self)
        real = spec.loader.exec_module

        def exec_module(module):
            real(module)
            PATCHES[name](module)

        spec.loader.exec_module = exec_module
        return spec


if SABOTAGE == "no_sync":
    os.fsync = os.fdatasync = lambda descriptor: None
if POINTS or SABOTAGE or HASTE:
    sys.meta_path.insert(0, Patcher())
