"""Two profiles side by side: order, unknowns, words for people."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.errors import GyroscopeError
from gyroscope.records import NotEnoughData
from gyroscope.reports.comparison import compare_profiles
from gyroscope.reports.comparison_page import comparison_html
from gyroscope.stats.profiles import Profile, fit_layout, profile

RNG = np.random.default_rng(7)
BEFORE = {
    "steady": RNG.normal(size=2_000),
    "moved": RNG.normal(size=2_000),
    "<b>place</b>": RNG.choice(["a", "b"], 2_000).astype(object),
}
AFTER = {
    "steady": RNG.normal(size=1_000),
    "moved": np.where(np.arange(1_000) % 10 == 0, np.nan, RNG.normal(1.0, size=1_000)),
    "<b>place</b>": RNG.choice(["a", "b"], 1_000).astype(object),
}
LAYOUT = fit_layout(BEFORE)


@pytest.fixture(scope="module")
def comparison():
    return compare_profiles(profile(BEFORE, LAYOUT), profile(AFTER, LAYOUT))


def test_the_most_drifted_column_comes_first(comparison):
    assert comparison.columns[0].name == "moved"
    assert comparison["moved"].effect.low > 0.5 and comparison["steady"].effect.low == 0.0


def test_means_missing_and_quantiles_of_both(comparison):
    moved = comparison["moved"]
    assert (moved.reference.missing_share, moved.current.missing_share) == (0.0, 0.1)
    assert moved.current.mean == pytest.approx(np.nanmean(AFTER["moved"]), rel=1e-12)
    assert moved.current.median == pytest.approx(np.nanmedian(AFTER["moved"]), rel=0.02)
    assert isinstance(comparison["<b>place</b>"].current.mean, NotEnoughData)


def test_an_empty_side_is_unknown_and_sorted_last():
    empty = compare_profiles(profile(BEFORE, LAYOUT), Profile.empty(LAYOUT))
    assert all(isinstance(column.effect, NotEnoughData) for column in empty.columns)
    assert "not enough data" in repr(empty) and "not enough data" in comparison_html(empty)


def test_names_are_escaped_in_notebooks_and_reports(comparison):
    for text in (comparison._repr_html_(), comparison_html(comparison).rpartition("</main>")[0]):
        assert "&lt;b&gt;place&lt;/b&gt;" in text and "<b>place" not in text


def test_a_notebook_needs_no_script(comparison):
    assert "<script" not in comparison._repr_html_()


def test_text_names_every_column(comparison):
    assert repr(comparison).splitlines()[0] == "1,000 rows against 2,000 of the reference"
    assert len(repr(comparison).splitlines()) == 5


def test_other_bins_are_refused(comparison):
    with pytest.raises(GyroscopeError, match="different bins"):
        compare_profiles(profile(BEFORE, LAYOUT), profile(AFTER, fit_layout(AFTER)))
    with pytest.raises(GyroscopeError) as unknown:
        comparison["mooved"]
    assert "did you mean 'moved'" in unknown.value.fix
