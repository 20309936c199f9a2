"""What all tests share: the one rule about real parts that this machine lacks."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def missing(reason: str) -> NoReturn:
    """Skip here and say why; in CI fail, because there a promise that nobody checks counts as broken."""
    if os.environ.get("CI"):
        pytest.fail(f"in CI no test of a real part is skipped: {reason}", pytrace=False)
    pytest.skip(reason)


def need(binary: str, package: str = "") -> str:
    """The path of a program that a test starts; without it the test is skipped, and fails in CI."""
    found = shutil.which(binary, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    return found or missing(f"{binary} is not installed (Debian: apt-get install {package or binary})")
