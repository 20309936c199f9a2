"""The canary gate: faults are rolled back in minutes, shared bursts are not, too little is never a pass."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.errors import GyroscopeError
from gyroscope.stats.comparison import Canary, Minutes, canary, log_e_split, log_e_worse

POLICY = Canary(share=0.05, minutes=600)


def arms(rate_a: np.ndarray, rate_b: np.ndarray, seed: int) -> Minutes:
    rng = np.random.default_rng(seed)
    b = rng.binomial(1000, 0.05, len(rate_a))
    return Minutes(1000 - b, rng.binomial(1000 - b, rate_a), b, rng.binomial(b, rate_b))


def until(start: int, before: float, after: float, length: int) -> np.ndarray:
    return np.where(np.arange(length) < start, before, after)


def test_a_fault_after_a_quiet_morning_is_found_within_ten_minutes():
    found = [
        int(np.argmax(log_e_worse(arms(np.full(330, 0.005), until(300, 0.005, 0.05, 330), seed)) > np.log(100)))
        for seed in range(20)
    ]
    assert sum(300 <= at < 310 for at in found) >= 19


def test_what_troubles_both_arms_alike_is_no_evidence():
    bursts = np.where(np.arange(600) % 100 < 10, 0.3, 0.005)
    assert max(log_e_worse(arms(bursts, bursts, seed)).max() for seed in range(5)) < np.log(100)


def test_equal_arms_are_not_rolled_back_and_pass_in_time():
    same = np.full(600, 0.005)
    verdicts = [
        canary({"errors": arms(same, same, seed), "slow": arms(same, same, 50 + seed)}, POLICY) for seed in range(6)
    ]
    assert {one.action for one in verdicts} <= {"promote", "keep waiting"}
    assert "promote" in {one.action for one in verdicts}


def test_one_harm_of_several_is_enough_to_roll_back_and_is_named():
    same = np.full(60, 0.005)
    verdict = canary({"errors": arms(same, same, 1), "slow": arms(same, same + 0.1, 2)}, POLICY)
    assert (verdict.action, verdict.reason, verdict.evidence["harm"]) == ("roll back", "worse", "slow")


def test_a_canary_that_is_better_is_no_fault():
    assert log_e_worse(arms(np.full(300, 0.05), np.full(300, 0.005), 3)).max() < 1


def test_little_data_and_no_data_are_never_a_pass():
    nothing = Minutes(*(np.zeros(0, np.int64) for _ in range(4)))
    calm = Minutes(np.full(700, 10), np.zeros(700, int), np.full(700, 0), np.zeros(700, int))
    assert canary({}, POLICY).reason == canary({"errors": nothing}, POLICY).reason == "not enough data"
    assert canary({"errors": calm}, POLICY).action == "keep waiting"


def test_a_broken_split_blocks_the_verdict():
    fine = arms(np.full(700, 0.005), np.full(700, 0.005), 4)
    verdict = canary({"errors": fine}, Canary(share=0.2, minutes=600))
    assert (verdict.action, verdict.reason) == ("keep waiting", "the requests were not split as intended")


def test_the_right_split_is_hardly_ever_doubted():
    rng = np.random.default_rng(5)
    doubted = 0
    for _ in range(200):
        b = rng.binomial(1000, 0.05, 300).cumsum()
        doubted += any(log_e_split(1000 * (at + 1) - n, n, 0.05) > np.log(100) for at, n in enumerate(b.tolist()))
    assert doubted <= 4


def test_no_harm_at_all_passes_on_the_number_of_requests():
    none = np.zeros(600, np.int64)
    clean = Minutes(np.full(600, 950), none, np.full(600, 50), none)
    assert canary({"errors": clean}, POLICY).action == "promote"


def test_impossible_counts_are_refused():
    one = np.array([1])
    with pytest.raises(GyroscopeError, match="more harm than requests"):
        log_e_worse(Minutes(one, one, one, one * 2))
    with pytest.raises(GyroscopeError, match="not the same minutes"):
        log_e_worse(Minutes(one, one, one, np.array([1, 0])))
