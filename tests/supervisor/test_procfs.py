"""What the kernel says about processes."""

from __future__ import annotations

import os
import subprocess

import pytest

from gyroscope.supervisor.procfs import cpu_s


def test_the_processor_time_of_a_process_is_what_it_says_itself():
    sum(at * at for at in range(300_000))
    assert cpu_s(os.getpid()) == pytest.approx(sum(os.times()[:2]), abs=0.05)


def test_one_that_is_gone_has_used_nothing():
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert cpu_s(gone.pid) == 0.0
