"""What a round does to the process around it."""

from __future__ import annotations

import gc

import pytest

from gyroscope.monitoring.rounds import undisturbed


def test_what_was_there_is_collected_again_after_a_round_whatever_it_met() -> None:
    with pytest.raises(RuntimeError, match="a fault"), undisturbed():
        assert gc.get_freeze_count() > 1_000
        raise RuntimeError("a fault")
    assert gc.get_freeze_count() == 0
