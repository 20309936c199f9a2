"""Processes that wait for their orders: real ones, told once, gone with whoever keeps them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.supervisor.rig import until

from gyroscope.supervisor.processes import adopt
from gyroscope.supervisor.state import Entry
from gyroscope.supervisor.wanted import ProcessSpec
from gyroscope.supervisor.warm import AFTER_A_DEATH_NS, WarmPool

CODE = """
import json, sys, time
line = sys.stdin.readline()
if line:
    orders = json.loads(line)
    open(orders["log"], "w").write(" ".join(orders["argv"]))
    time.sleep(60)
"""
WARM = (sys.executable, "-c", CODE)


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[WarmPool]:
    pool = WarmPool(tmp_path)
    yield pool
    pool.close()


def spec(folder: Path, name: str = "a") -> ProcessSpec:
    return ProcessSpec(name, ("replica", name), kind="replica", warm=WARM, log=str(folder / f"{name}.log"))


def test_one_that_waits_becomes_what_it_is_told_and_is_replaced(pool: WarmPool, tmp_path: Path) -> None:
    wanted = spec(tmp_path)
    assert pool.take(wanted) is None, "nobody waits yet"
    pool.tend([wanted], 1, 0)
    pool.tend([wanted], 1, 0)
    (waiting,) = pool.pids()
    child = pool.take(wanted)
    assert child and child.pid == waiting
    assert pool.pids() == set()
    until(lambda: Path(wanted.log).exists() and Path(wanted.log).read_text() == "replica a")
    entry = Entry(wanted, child.pid, child.start_ticks, "ready")
    adopted = adopt(entry)
    assert adopted and adopted.pid == child.pid, "the next supervisor knows it though it is called otherwise"
    assert adopt(replace(entry, spec=replace(wanted, warm=()))) is None
    os.close(adopted.pidfd)
    pool.tend([wanted], 1, 0)
    assert pool.pids() not in (set(), {waiting})
    child.kill()
    child.bury()


def test_the_dead_and_the_unwanted_are_buried(pool: WarmPool, tmp_path: Path) -> None:
    wanted = spec(tmp_path)
    for _ in range(3):
        pool.tend([wanted], 2, 0)
    first, second = sorted(pool.pids())
    os.kill(first, 9)
    until(lambda: pool.tend([wanted], 2, 0) or first not in pool.pids())
    assert pool.pids() == {second}, "one that dies while it waits is not replaced at once"
    pool.tend([wanted], 2, AFTER_A_DEATH_NS)
    assert len(pool.pids()) == 2
    pool.tend([wanted], 1, 0)
    assert len(pool.pids()) == 1
    pool.tend([replace(wanted, warm=())], 1, 0)
    assert pool.pids() == set()
    assert not Path(f"/proc/{second}").exists()


def test_one_that_died_is_not_told(pool: WarmPool, tmp_path: Path) -> None:
    wanted = replace(spec(tmp_path), warm=(sys.executable, "-c", "pass"))
    pool.tend([wanted], 1, 0)
    (pid,) = pool.pids()
    until(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z")
    assert pool.take(wanted) is None
    assert pool.pids() == set()
