"""When each reference row happened: dates, texts and seconds mean the same moment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gyroscope.cli.models.held_out import HeldOut, event_times
from gyroscope.errors import ModelError

WORDS = HeldOut(Path("held_out.parquet"), time_column="happened")
NEW_YEAR = 1_767_225_600_000_000


@pytest.mark.parametrize(
    "column",
    [
        np.array([1_767_225_600, 1_767_225_601.5]),
        np.array([NEW_YEAR, NEW_YEAR + 1_500_000], dtype=np.float64),
        np.array(["2026-01-01T00:00:00Z", "2025-12-31T19:00:01.500-05:00"], dtype=object),
    ],
)
def test_every_spelling_is_the_same_moment(column):
    assert event_times(column, WORDS).tolist() == [NEW_YEAR, NEW_YEAR + 1_500_000]


@pytest.mark.parametrize(
    "column",
    [
        np.array([1.0, np.nan]),
        np.array([1.0, np.inf]),
        np.array(["2026-01-01", None], object),
        np.array(["soon"], object),
    ],
)
def test_a_moment_that_is_none_is_refused_with_its_column(column):
    with pytest.raises(ModelError, match="a time cannot be read") as refused:
        event_times(column, WORDS)
    assert "'happened'" in refused.value.where
