"""Whoever is not serving gives way, and says so to the kernel where sessions compete before processes do."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from gyroscope.assembly import priority
from gyroscope.assembly.plan import STANDS_BACK

SCHED_GETATTR = {"x86_64": 315, "aarch64": 275}
SAY = """
import os, pathlib
from gyroscope.assembly.priority import {name}
{name}()
own = pathlib.Path("/proc/self/autogroup")
print(os.nice(0), own.read_text().split()[-1] if own.exists() else "")
"""


def test_a_shadow_gives_way_from_its_first_instruction_and_more_when_it_has_started():
    first, then = SAY.format(name="be_last").replace("be_last()", ""), SAY.format(name="be_last")
    argv = [*STANDS_BACK, sys.executable, "-c", first + then]
    said = subprocess.run(argv, start_new_session=True, check=True, capture_output=True, text=True).stdout.split()
    behind = [str(min(19, os.nice(0) + niceness)) for niceness in (priority.BEHIND_SERVING, priority.LAST)]
    assert said in (behind, [behind[0], str(priority.BEHIND_SERVING), behind[1], str(priority.LAST)])


@pytest.mark.parametrize(
    ("name", "niceness", "of_session"),
    [("stand_back", priority.BEHIND_SERVING, str(priority.BEHIND_SERVING)), ("be_modest", priority.BEHIND_ALL, "0")],
)
def test_a_process_gives_way(name, niceness, of_session):
    """A backup stays in its user's session, whose other programs it must not slow down."""
    argv = [sys.executable, "-c", SAY.format(name=name)]
    said = subprocess.run(argv, start_new_session=True, check=True, capture_output=True, text=True).stdout.split()
    assert int(said[0]) == min(19, os.nice(0) + niceness)
    assert said[1:] in ([], [of_session])


def test_a_kernel_that_knows_no_sessions_is_no_obstacle(monkeypatch, tmp_path):
    given: list[int] = []
    monkeypatch.setattr("os.nice", given.append)
    monkeypatch.setattr(priority, "AUTOGROUP", tmp_path / "missing" / "autogroup")
    priority.stand_back()
    assert given == [priority.BEHIND_SERVING]


TURN = """
import ctypes, os, struct
from gyroscope.assembly.priority import be_last
be_last()
found = ctypes.create_string_buffer(48)
got = ctypes.CDLL(None).syscall({number}, 0, found, 48, 0)
print(got, struct.unpack("=IIQiIQQQ", found.raw)[5])
"""


@pytest.mark.skipif(os.uname().machine not in SCHED_GETATTR, reason="the number of the system call is not known here")
def test_the_kernel_is_asked_to_interrupt_a_shadow_for_whoever_wakes():
    argv = [sys.executable, "-c", TURN.format(number=SCHED_GETATTR[os.uname().machine])]
    got, turn_ns = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()
    release = tuple(int(part) for part in os.uname().release.split(".")[:2])
    assert (got, int(turn_ns)) == ("0", priority.LONG_TURN_NS if release >= (6, 12) else 0)


def test_a_machine_whose_call_is_not_known_is_no_obstacle(monkeypatch):
    given: list[int] = []
    monkeypatch.setattr("os.nice", given.append)
    monkeypatch.setattr(priority, "AUTOGROUP", priority.AUTOGROUP / "none")
    monkeypatch.setattr(priority, "SCHED_SETATTR", {})
    priority.be_last()
    assert given == [priority.LAST - priority.BEHIND_SERVING]
