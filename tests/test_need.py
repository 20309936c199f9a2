"""The rule about real parts: without one a test is skipped with the reason, and in CI it fails."""

from __future__ import annotations

import pytest
from tests.conftest import need


def test_a_missing_program_skips_here_and_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install its-package"):
        need("no-such-program", "its-package")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="in CI no test of a real part is skipped"):
        need("no-such-program")


def test_a_program_that_is_there_is_found_by_its_path() -> None:
    assert need("sh").endswith("/sh")
