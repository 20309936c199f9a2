"""What all tests share: the one rule about real parts that this machine lacks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is, nothing about the law.
settings.register_profile("laws", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("laws")


def missing(reason: str) -> NoReturn:
    """Skip here and say why; in CI fail, because there a promise that nobody checks counts as broken."""
    if os.environ.get("CI"):
        pytest.fail(f"in CI no test of a real part is skipped: {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI every skip is a failure, however a test came to it."""
    report = yield
    if report.skipped and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"in CI no test is skipped: {item.nodeid}: {call.excinfo and call.excinfo.value}"
    return report


def need(binary: str, package: str = "") -> str:
    """The path of a program that a test starts; without it the test is skipped, and fails in CI."""
    found = shutil.which(binary, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    return found or missing(f"{binary} is not installed (Debian: apt-get install {package or binary})")
