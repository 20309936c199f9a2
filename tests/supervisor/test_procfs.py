"""What the kernel says about processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from gyroscope.supervisor.procfs import cpu_s, ran_ns, stood_ns


def test_the_processor_time_of_a_process_is_what_it_says_itself():
    sum(at * at for at in range(300_000))
    assert cpu_s(os.getpid()) == pytest.approx(sum(os.times()[:2]), abs=0.05)


def test_one_that_is_gone_has_used_nothing():
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert cpu_s(gone.pid) == 0.0


def test_two_that_share_a_processor_stand_in_line_for_it():
    core = min(os.sched_getaffinity(0))
    spin = f"import os; os.sched_setaffinity(0, {{{core}}})\nwhile True: pass"
    both = [subprocess.Popen([sys.executable, "-c", spin]) for _ in range(2)]
    try:
        until = time.monotonic() + 20
        while not all(min(ran_ns(one.pid), stood_ns(one.pid)) > 50_000_000 for one in both):
            assert time.monotonic() < until, [(ran_ns(one.pid), stood_ns(one.pid)) for one in both]
            time.sleep(0.02)
    finally:
        for one in both:
            one.kill()
            one.wait()
    assert (ran_ns(both[0].pid), stood_ns(both[0].pid)) == (0, 0)
