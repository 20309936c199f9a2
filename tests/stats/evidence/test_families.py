from __future__ import annotations

import numpy as np
import pytest

from gyroscope.stats.evidence import SHARES, Family, Feedback, fit_baselines, learned_shares, stream
from gyroscope.stats.evidence.families import masses


def _family(share=0.35):
    tables = [
        stream(name, np.sin(np.arange(20.0)), np.ones(20), weight=weight) for name, weight in (("a", 1), ("b", 3))
    ]
    lost = stream("c", np.full(20, np.nan), np.ones(20), weight=9.0)
    return Family("performance", fit_baselines(tables[0].join(tables[1], lost)), share)


def test_mass_grows_with_time_and_a_stream_without_a_baseline_keeps_none():
    spent = masses(_family(), np.array([1.0, 7.0]), 2.0)
    assert spent.shape == (2, 2)
    assert spent.sum(axis=0) == pytest.approx([2 * 0.35 / 30, 2 * 0.35 * 7 / 30])
    assert spent[1, 0] == pytest.approx(3 * spent[0, 0])


def test_feedback_moves_later_starts_only_and_within_bounds():
    noise = [Feedback(0, ("b", "gone"), is_useful=False)] * 5
    spent = masses(_family(), np.ones(2), 1.0, noise)
    before = masses(_family(), np.ones(2), 1.0)
    assert spent[:, 0] == pytest.approx(before[:, 0])
    assert spent[1, 1] / spent[0, 1] == pytest.approx(3 / 4)
    assert spent.sum(axis=0) == pytest.approx(before.sum(axis=0))


def test_shares_sum_to_the_budget_before_and_after_verdicts():
    assert sum(SHARES.values()) == pytest.approx(1)
    learned = learned_shares(SHARES, {"performance": 2}, {"output": 9})
    assert sum(learned.values()) == pytest.approx(1)
    assert learned["performance"] > SHARES["performance"]
    assert learned["output"] > 0
