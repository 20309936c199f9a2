"""What labelled rows lost: the metric's own sums, row by row, and a sampled row as often as it stands for."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.clock import SECOND_US
from gyroscope.models import Blocks
from gyroscope.monitoring.fold import Lens, bare_layout
from gyroscope.monitoring.tally import row_losses, tally_rows
from gyroscope.records import Feature, Signature
from gyroscope.stats.performance import metrics, tally


def test_losses_sum_to_the_metric_of_each_task():
    rng = np.random.default_rng(0)
    shares, classes = rng.dirichlet((1.0, 1.0, 1.0), 50), rng.integers(0, 3, 50).astype(float)
    scores, truth = rng.random(50), rng.integers(0, 2, 50).astype(float)
    for task, outputs, labels, metric in (
        ("binary", scores, truth, "brier"),
        ("regression", scores, classes, "mae"),
        ("multiclass", shares, classes, "log_loss"),
    ):
        known = metrics(tally(task, outputs, labels, classes=3))[metric]
        assert row_losses(task, outputs, labels).mean() == pytest.approx(known.value, rel=1e-6)


def test_labels_that_are_no_class_and_outputs_that_are_no_number_lose_nothing():
    assert np.isnan(row_losses("multiclass", np.full((2, 3), 1 / 3), np.array([7.0, np.nan]))).all()
    assert np.isnan(row_losses("regression", np.array([np.inf]), np.array([np.inf]))).all()


def test_a_sampled_row_counts_as_often_as_it_stands_for():
    signature = Signature("binary", (Feature("x"),))
    rows = {
        "event_time": np.arange(2) * SECOND_US, "said_at": np.arange(2) * SECOND_US, "version": np.zeros(2, int),
        "status": np.full(2, 200), "id_conflict": np.zeros(2, bool), "weight": np.array([1, 3], np.int32),
        "feature_x": np.array([1.0, 2.0]), "output_0": np.array([0.5, 1.0]), "label": np.array([1.0, 0.0]),
    }  # fmt: skip
    (found,) = tally_rows([rows], "1970-01-01", {"v1": Lens(signature, bare_layout(signature))}, Blocks()).values()
    assert (found.losses.n, found.losses.mean) == (4, (0.25 + 3) / 4)
    assert found.losses.columns["x"].counts.tolist() == [4, 0, 0]
