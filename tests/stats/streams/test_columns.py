"""Streams of real profiles: what moves, what does not, and what a bad column gives."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from gyroscope.stats.evidence import Family, fit_baselines, replay, scores
from gyroscope.stats.profiles import Profile, fit_layout, profile
from gyroscope.stats.streams import column_streams, fit_columns


def _days(rng, count, rows=200, *, shift=0.0, missing=0.05, extra=()):
    days = []
    for _ in range(count):
        x = rng.normal(shift, 1, rows)
        x[rng.random(rows) < missing] = np.nan
        city = rng.choice([*"abcdefghij", *extra], rows).astype(object)
        days.append({"x": x, "city": city})
    return days


def _profiles(reference, current=()):
    layout = fit_layout({name: np.concatenate([day[name] for day in reference]) for name in reference[0]})
    return [profile(day, layout) for day in reference], [profile(day, layout) for day in current]


def _members(reference, current):
    before, after = column_streams(*_profiles(reference, current))
    course = replay(Family("input", fit_baselines(before)), after, np.ones(after.windows))
    return {name for alarm in course.alarms for name in alarm.names}


def test_normal_days_score_as_normal_in_every_stream():
    rng = np.random.default_rng(0)
    before, after = column_streams(*_profiles(_days(rng, 60), _days(rng, 200)))
    z = scores(fit_baselines(before), after)
    known = z[~np.isnan(z).all(axis=1)]
    assert np.abs(known.mean(axis=1)).max() < 0.45
    assert np.nanstd(known, axis=1).max() < 1.35


@pytest.mark.parametrize(
    ("change", "streams"),
    [
        ({"shift": 0.5}, {"x:location"}),
        ({"missing": 0.2}, {"x:missing"}),
        ({"extra": ("new york",)}, {"city:new"}),
    ],
)
def test_a_change_is_named(change, streams):
    rng = np.random.default_rng(1)
    assert _members(_days(rng, 40), _days(rng, 12, **change)) >= streams


def test_a_wider_column_moves_its_scale_and_a_hotter_category_its_share():
    rng = np.random.default_rng(2)
    wider, hotter = _days(rng, 12), _days(rng, 12)
    for day in wider:
        day["x"] *= 1.6
    for day in hotter:
        day["city"][:60] = "c"
    assert "x:scale" in _members(_days(rng, 40), wider)
    assert {"city=c", "city:omnibus"} & _members(_days(rng, 40), hotter)


def test_a_reference_window_is_compared_with_the_others():
    rng = np.random.default_rng(3)
    # Every row its own category: compared with itself, a day would look familiar and every later day strange.
    reference = [{"id": rng.integers(0, 100_000, 20).astype(str).astype(object)} for _ in range(20)]
    later = [{"id": rng.integers(0, 100_000, 20).astype(str).astype(object)} for _ in range(30)]
    assert _members(reference, later) == set()
    few = [{"id": rng.choice([*"ab", str(day)], 40).astype(object)} for day in range(20)]
    before, _ = column_streams(*_profiles(few))
    new = before.select(("id:new",)).y[0]
    assert (new > 0.3).all()


def test_columns_share_equally_or_half_by_what_the_model_listens_to():
    reference, _ = _profiles(_days(np.random.default_rng(4), 20))
    equal = fit_columns(reference).reference
    of_x = [name.startswith("x:") for name in equal.names]
    assert equal.weights[of_x].sum() == pytest.approx(0.5)
    heard = fit_columns(reference, importance={"x": 3.0, "city": 1.0}).reference
    assert heard.weights[of_x].sum() == pytest.approx(0.625)
    assert fit_columns(reference, columns=("city",)).reference.names[0] == "city:omnibus"


BAD = {
    "all missing": np.full(50, np.nan),
    "constant": np.ones(50),
    "huge": np.r_[np.full(49, 1e308), -1e308],
    "infinite": np.r_[np.full(25, np.inf), np.full(25, -np.inf)],
    "text": np.array(["x", None] * 25, dtype=object),
    "all distinct": np.arange(50).astype(str).astype(object),
    "no rows": np.empty(0),
}


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("later", BAD)
def test_bad_columns_give_numbers_or_the_reason(kind, later):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layout = fit_layout({"x": BAD[kind]})
        reference = [profile({"x": BAD[kind]}, layout) for _ in range(14)]
        before, after = column_streams(reference, [profile({"x": BAD[later]}, layout), Profile.empty(layout)])
        normal = fit_baselines(before)
        course = replay(Family("input", normal), after, np.ones(2))
    assert np.isfinite(course.mass).all()
    assert set(normal.names) | set(normal.missing) == set(before.names)


def test_no_reference_window_gives_no_stream():
    before, after = column_streams([], [])
    assert before.names == after.names == ()
