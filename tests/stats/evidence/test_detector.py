from __future__ import annotations

import warnings

import msgspec
import numpy as np
import pytest

from gyroscope.stats.evidence import Family, Feedback, State, Streams, fit_baselines, replay, stream


def _many(y, sides=None, within=0.5):
    names = tuple(f"s{row}" for row in range(len(y)))
    sides = np.zeros(len(y), np.int64) if sides is None else sides
    return Streams(names, y, np.full(y.shape, within), sides, np.ones(len(y)), np.zeros(len(y)))


def _month(rng, shifted=(), by=2.5, since=10, streams=20, windows=30):
    y = rng.normal(size=(streams, windows))
    y[list(shifted), since:] += by
    return y


def test_the_budget_is_kept_without_a_change():
    rng = np.random.default_rng(6)
    alarms = 0
    for _ in range(60):
        family = Family("input", fit_baselines(_many(_month(rng))))
        alarms += len(replay(family, _many(_month(rng)), np.ones(30)).alarms)
    assert alarms <= 60 * 0.6


def test_a_change_is_one_alarm_that_names_its_streams_and_its_window():
    rng = np.random.default_rng(7)
    family = Family("input", fit_baselines(_many(_month(rng, windows=60))))
    course = replay(family, _many(_month(rng, shifted=(3, 4))), np.ones(30))
    assert {name for alarm in course.alarms for name in alarm.names} == {"s3", "s4"}
    first = course.alarms[0]
    assert first.since == 10
    assert 10 < first.at < 16
    assert first.closed is None
    assert sum(member.share for member in first.members) > 0.5


def test_the_interval_of_an_effect_holds_it():
    rng = np.random.default_rng(15)
    held = []
    for _ in range(60):
        family = Family("input", fit_baselines(_many(rng.normal(size=(1, 40)))))
        alarms = replay(family, _many(np.r_[rng.normal(size=10), rng.normal(3, 1, 10)][np.newaxis]), np.ones(20)).alarms
        held += [alarm.members[0].low <= 3 <= alarm.members[0].high for alarm in alarms if alarm.since == 10]
    assert len(held) > 30
    assert np.mean(held) > 0.85


def test_members_rest_until_they_are_normal_again_and_then_may_alarm_again():
    rng = np.random.default_rng(8)
    y = rng.normal(size=(1, 60))
    y[0, 10:20] += 3
    y[0, 40:] += 3
    family = Family("input", fit_baselines(_many(rng.normal(size=(1, 60)))))
    course = replay(family, _many(y), np.ones(60), false_alarms=0.2)
    first, second = course.alarms
    assert first.closed is not None
    assert 22 <= first.closed <= 28
    assert not course.evidence[0, first.at + 1 : first.closed + 1].any()
    assert second.at > 40
    assert second.since > first.closed


def test_an_alarm_restarts_the_others():
    rng = np.random.default_rng(9)
    family = Family("input", fit_baselines(_many(_month(rng, windows=60))))
    course = replay(family, _many(_month(rng, shifted=(0,), by=4)), np.ones(30))
    alarm = course.alarms[0]
    assert course.evidence[:, alarm.at + 1].sum() < 0.2


def test_one_window_at_a_time_gives_the_same_bits_as_all_at_once():
    rng = np.random.default_rng(10)
    family = Family("input", fit_baselines(_many(_month(rng, windows=60))))
    y = _month(rng, shifted=(1,), since=8, windows=90)
    y[1, 30:] -= 2.5
    y[2, 5:9] = np.nan
    whole = replay(family, _many(y), np.ones(90))
    assert whole.alarms
    state, mass = State(), []
    for windows in range(1, 91):
        course = replay(family, _many(y[:, :windows]), np.ones(windows), state=state)
        state = msgspec.json.decode(msgspec.json.encode(course.state), type=State)
        mass.append(course.mass[-1])
    assert state == whole.state
    assert mass == whole.mass.tolist()


def test_only_candidates_that_opened_after_a_verdict_are_moved_by_it():
    rng = np.random.default_rng(11)
    family = Family("input", fit_baselines(_many(_month(rng))))
    current = _many(_month(rng, shifted=(0,), by=2.0, since=20))
    plain = replay(family, current, np.ones(30))
    told = replay(family, current, np.ones(30), feedback=[Feedback(19, ("s0",), is_useful=True)])
    assert told.mass[:20].tolist() == plain.mass[:20].tolist()
    assert told.mass[20:].tolist() != plain.mass[20:].tolist()


def test_a_stream_that_is_absent_since_the_change_is_no_member():
    rng = np.random.default_rng(16)
    y = _month(rng, shifted=(0, 1), by=3.0, since=8)
    y[1, 10:] = np.nan
    y[2:, 5:] = np.nan
    family = Family("input", fit_baselines(_many(_month(rng, windows=60))))
    alarms = replay(family, _many(y), np.ones(30)).alarms
    assert alarms
    for alarm in alarms:
        assert all(np.isfinite(y[int(name[1:]), alarm.since : alarm.at + 1]).any() for name in alarm.names)


@pytest.mark.parametrize("value", [np.nan, 0.0, 1e308, -1e308, np.inf])
def test_bad_windows_give_numbers(value):
    family = Family("input", fit_baselines(stream("x", np.sin(np.arange(30.0)), np.full(30, 0.1))))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        course = replay(family, stream("x", [value] * 5, [0.1] * 5), np.ones(5))
    assert np.isfinite(course.mass).all()


def test_a_family_without_a_usable_stream_never_alarms():
    family = Family("input", fit_baselines(stream("x", [1.0], [0.1])))
    assert replay(family, stream("x", [9.0] * 5, [0.1] * 5), np.ones(5)).mass.tolist() == [0.0] * 5
