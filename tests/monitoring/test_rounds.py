"""What a round does to the process around it."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from gyroscope.monitoring.rounds import Collector


class Cycle:
    """Only the collector of cycles ends it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def frozen() -> Iterator[None]:
    """The host froze what it has."""
    gc.freeze()
    yield
    gc.unfreeze()


def test_the_collector_waits_for_a_round_and_goes_on_whatever_it_met(frozen: None) -> None:
    with pytest.raises(RuntimeError, match="a fault"), Collector().waiting():
        assert not gc.isenabled()
        raise RuntimeError("a fault")
    assert gc.isenabled()
    assert gc.get_freeze_count() > 1_000, "what others froze stays frozen"


def test_where_it_was_switched_off_it_is_left_alone() -> None:
    gc.disable()
    try:
        with Collector().waiting():
            left = weakref.ref(Cycle())
        assert not gc.isenabled() and left() is not None
    finally:
        gc.enable()


@pytest.mark.parametrize(("is_kept", "most"), [(False, 0), (True, 20)])
def test_what_rounds_leave_is_bounded(is_kept: bool, most: int, frozen: None) -> None:
    collector, made, kept = Collector(), weakref.WeakSet[Cycle](), list[Cycle]()
    for _ in range(100):
        with collector.waiting():
            fresh = [Cycle() for _ in range(10)]
            made.update(fresh)
            kept[:] = fresh if is_kept else []  # until the next round: they are old when nobody holds them any more
            fresh.clear()
        assert len(made) <= 10 * most
