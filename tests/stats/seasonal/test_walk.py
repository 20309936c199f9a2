"""The walk over hours: spikes found, holes found, noise and holidays left alone, new habits accepted."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.records import NotEnoughData
from gyroscope.stats.seasonal import Anomalies, counts, hours_of_week, look_ahead, means, seasonal, shares

WEEK = 168


def traffic(weeks: int, seed: int, level: float = 60.0) -> tuple[np.ndarray, np.ndarray]:
    slots = hours_of_week(0, weeks * WEEK)
    mean = level * (1 + 0.6 * np.sin((slots % 24 - 9) / 24 * 2 * np.pi)) * np.where(slots >= 120, 0.6, 1.0)
    return slots, np.random.default_rng(seed).poisson(mean).astype(float)


def pages(y: np.ndarray, slots: np.ndarray, since: int = 0, **how) -> list[int]:
    """The bins that page; below `since` is the noise's share of one page in two months."""
    found = seasonal(counts(y, slots), **how)
    assert isinstance(found, Anomalies)
    return [page.at for page in found.pages if page.at >= since]


def test_noise_pages_rarely():
    months = 10 * (40 - 2) * WEEK / 720
    assert sum(len(pages(y, slots)) for slots, y in (traffic(40, seed) for seed in range(10))) / months < 1.0


def test_a_spike_and_a_hole_are_found_at_once():
    slots, y = traffic(20, 1)
    y[14 * WEEK + 60] += 80
    y[16 * WEEK + 61] = 0
    assert {14 * WEEK + 60, 16 * WEEK + 61} <= set(pages(y, slots))


def test_what_goes_on_for_hours_adds_up():
    slots, y = traffic(20, 2)
    y[15 * WEEK + 10 : 15 * WEEK + 14] = np.round(1.32 * seasonal(counts(y, slots)).expected[15 * WEEK + 10 :][:4])
    found = seasonal(counts(y, slots))
    assert np.abs(found.scores[15 * WEEK + 10 : 15 * WEEK + 14]).max() < 3.2
    assert [page.span for page in found.pages if 15 * WEEK + 10 <= page.at < 15 * WEEK + 14] in ([2], [4])


def test_an_incomplete_bin_never_alarms():
    slots, y = traffic(20, 3)
    y[16 * WEEK + 61] = np.nan
    found = seasonal(counts(y, slots))
    assert all(page.at < 16 * WEEK for page in found.pages)
    assert np.isnan(found.scores[16 * WEEK + 61])
    assert found.expected[16 * WEEK + 61] > 0


def test_named_days_are_neither_scored_nor_learned():
    slots, y = traffic(20, 4)
    holiday = np.zeros(y.size, bool)
    holiday[16 * WEEK + 24 : 16 * WEEK + 48] = True
    y[holiday] = 3.0
    assert pages(y, slots, 16 * WEEK)
    assert not set(pages(y, slots, excluded=holiday)) & set(np.flatnonzero(holiday))
    plain, named = seasonal(counts(y, slots)), seasonal(counts(y, slots), excluded=holiday)
    assert named.expected[17 * WEEK + 36] > plain.expected[17 * WEEK + 36] * 0.9


def test_a_new_habit_is_accepted_after_three_weeks():
    slots, y = traffic(30, 5)
    y[50::WEEK][20:] += 90
    changed = range(20 * WEEK + 50, y.size, WEEK)
    assert [at for at in pages(y, slots) if at in changed] == [20 * WEEK + 50, 21 * WEEK + 50, 22 * WEEK + 50]


def test_after_a_page_there_is_a_day_of_silence():
    slots, y = traffic(20, 6)
    y[16 * WEEK : 16 * WEEK + 30] += 300
    assert pages(y, slots, 16 * WEEK) == [16 * WEEK, 16 * WEEK + 25]


def test_two_weeks_are_needed_and_the_grade_says_what_is_known():
    slots, y = traffic(10, 7)
    assert isinstance(seasonal(counts(y[: WEEK * 2 - 1], slots[: WEEK * 2 - 1])), NotEnoughData)
    found = seasonal(counts(y, slots))
    assert found.grades[[10, 2 * WEEK + 10, 7 * WEEK]].tolist() == [0, 1, 2]


@pytest.mark.parametrize("step", [7, -7])
def test_shares_and_means_have_their_own_noise(step):
    rng = np.random.default_rng(8)
    slots, n = hours_of_week(0, 20 * WEEK), np.full(20 * WEEK, 400)
    level = 0.1 + 0.05 * (slots % 24 > 12)
    share = shares(rng.binomial(n, level), n, slots)
    score = means(rng.normal(level, 0.1 / 20), np.full(n.size, 0.01), n, slots)
    for series in (share, score):
        assert isinstance(found := seasonal(series), Anomalies)
        assert len(found.pages) <= 2
        series.y[18 * WEEK] += step * np.sqrt(series.within[18 * WEEK])
        assert [page.at for page in seasonal(series).pages if page.at >= 18 * WEEK] == [18 * WEEK]


def test_bursty_series_set_their_own_limits():
    rng = np.random.default_rng(9)
    slots = hours_of_week(0, 40 * WEEK)
    y = np.round(rng.lognormal(2.0, 1.0, slots.size))
    found = seasonal(counts(y, slots))
    beyond_normal = int((np.abs(found.scores[6 * WEEK :]) > 3.5).sum())
    assert len(found.pages) < beyond_normal / 4


@pytest.mark.parametrize("level", [0.0, 5.0, 1e15])
def test_constant_empty_and_huge_series_are_defined(level):
    slots = hours_of_week(5, 12 * WEEK)
    for series in (
        counts(np.full(slots.size, level), slots),
        shares(np.full(slots.size, level), np.full(slots.size, level), slots),
        means(np.full(slots.size, level), np.zeros(slots.size), np.full(slots.size, 10), slots),
    ):
        found = seasonal(series)
        assert isinstance(found, NotEnoughData) or found.pages == ()
    assert isinstance(seasonal(counts(np.zeros(0), np.zeros(0, np.int64))), NotEnoughData)


def test_hours_that_a_clock_change_repeats_or_leaves_out_are_taken_as_they_come():
    slots, y = traffic(20, 10)
    twice = np.insert(slots, 2000, slots[2000])
    assert len(seasonal(counts(np.insert(y, 2000, y[2000]), twice)).scores) == y.size + 1
    assert len(seasonal(counts(np.delete(y, 1500), np.delete(slots, 1500))).scores) == y.size - 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("make", [counts, lambda y, slots: means(y, np.ones(y.size), np.full(y.size, 30), slots)])
def test_values_whose_squares_overflow_are_no_values(make):
    slots = hours_of_week(0, 9 * 168)
    found = seasonal(make(np.full(slots.size, 1e308), slots))
    assert found == NotEnoughData("0 complete hours; what an hour is like takes 336")


def test_a_day_that_is_held_against_what_was_ahead_is_scored_as_the_walk_scores_it():
    slots = hours_of_week(0, 9 * 168)
    y = np.random.default_rng(4).poisson(50 + 30 * (slots % 24 > 12)).astype(float)
    y[8 * 168 + 5] += 80
    last = slice(8 * 168, 8 * 168 + 24)
    whole = seasonal(counts(y[: last.stop], slots[: last.stop]))
    ahead = look_ahead(counts(y[: last.start], slots[: last.start]), slots[last])
    held = ahead.held_against(y[last], np.zeros(24))
    np.testing.assert_array_equal(held.scores, whole.scores[last])
    assert np.abs(ahead.beyond(held)).max(axis=0).argmax() == 5
    partly = ahead.held_against(np.where(np.arange(24) < 7, y[last], np.nan), np.zeros(24))
    np.testing.assert_array_equal(partly.scans[:, :7], held.scans[:, :7])
