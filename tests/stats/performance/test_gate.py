"""The gate from alarm to incident: small changes stay readings, some become incidents later; holes do no harm."""

from __future__ import annotations

import numpy as np

from gyroscope.records import NotEnoughData
from gyroscope.stats.evidence import Baselines, Family, Streams, fit_baselines, replay, stream
from gyroscope.stats.performance import matters_at


def followed(y: np.ndarray, side: int = 1) -> tuple[list, Streams, Baselines]:
    reference = np.random.default_rng(1).normal(0, 0.1, 40)
    normal = fit_baselines(stream("loss", reference, np.full(40, 0.001), side=side))
    current = stream("loss", y, np.full(y.size, 0.001), side=side)
    return list(replay(Family("performance", normal), current, np.ones(y.size)).alarms), current, normal


def test_a_large_change_is_an_incident_at_once_and_either_side_counts_by_its_harm() -> None:
    y = np.r_[np.zeros(10), np.full(6, 0.5)]
    for side in (1, -1, 0):
        alarms, current, normal = followed(y if side >= 0 else -y, side)
        assert matters_at(alarms[0], current, normal) == alarms[0].at


def test_what_is_tolerated_stays_a_reading_until_more_windows_are_sure() -> None:
    y = np.r_[np.zeros(10), np.full(8, 0.3)]
    alarms, current, normal = followed(y)
    at = alarms[0].at
    assert isinstance(matters_at(alarms[0], current, normal, least=0.4), NotEnoughData)
    windows = [matters_at(alarms[0], current, normal, least=least) for least in (0.0, 0.1, 0.2)]
    known = [window for window in windows if not isinstance(window, NotEnoughData)]
    assert known == sorted(known) and known[0] >= at
    assert known[-1] > at


def test_windows_without_a_value_and_an_alarm_that_closed_do_no_harm() -> None:
    y = np.r_[np.zeros(10), np.full(4, 0.5), np.nan, np.zeros(6), np.full(8, 0.5)]
    alarms, current, normal = followed(y)
    assert alarms[0].closed is not None
    for alarm in alarms:
        found = matters_at(alarm, current, normal)
        assert isinstance(found, int) and alarm.at <= found <= (y.size if alarm.closed is None else alarm.closed)
