"""How far the windows of a reference differ, against data made with a known answer."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from gyroscope.clock import DAY_US
from gyroscope.models import Candidate, ModelStore, build_reference
from gyroscope.monitoring.references import References, column_icc, standard_of
from gyroscope.records import Feature, NotEnoughData, Signature, Version

SIGNATURE = Signature("regression", (Feature("x"), Feature("kind", "string", ("a", "b"))), output="value")
DAYS, ROWS = 60, 200


def reference(between, *, with_times=True, seed=0):
    """Rows of 60 days whose daily mean varies with standard deviation `between`; within a day it is 1."""
    rng = np.random.default_rng(seed)
    shift = np.repeat(rng.normal(0, between, DAYS), ROWS) if between else np.zeros(DAYS * ROWS)
    x = shift + rng.normal(size=DAYS * ROWS)
    kind = np.where(shift + rng.normal(size=DAYS * ROWS) > 0, "a", "b").astype(object)
    times = np.repeat(np.arange(DAYS), ROWS) * DAY_US if with_times else None
    return build_reference(SIGNATURE, {"x": x, "kind": kind}, x, None, times)


@pytest.mark.parametrize("between", [0.3, 1.0])
def test_rows_of_a_day_that_hang_together_are_found(between):
    expected = between**2 / (between**2 + 1)
    assert column_icc("x", reference(between)) == pytest.approx(expected, rel=0.5)
    assert 0.02 < column_icc("kind", reference(between)) < expected


def test_independent_rows_are_found_independent():
    assert column_icc("x", reference(0)) < 0.005
    assert column_icc("kind", reference(0)) < 0.005


def test_a_reference_without_windows_assumes_independence():
    assert column_icc("x", reference(1.0, with_times=False)) == 0.0


def test_without_a_reference_columns_have_no_bins_and_the_reason_is_kept():
    version = Version("m", "0" * 12, "python", "code", "0" * 64, SIGNATURE, created_at=0)
    standard = standard_of(version, NotEnoughData("none yet"), "")
    assert standard.reference == NotEnoughData("none yet")
    assert (list(standard.lens.layout.columns), standard.digest) == (["x", "kind", "value"], "")


def test_a_reference_that_was_put_is_met_with_and_without_an_artifact(tmp_path):
    store = ModelStore(tmp_path)
    (tmp_path / "trees.txt").write_bytes(b"tree\n")
    candidates = [
        Candidate("here", "lightgbm", SIGNATURE, tmp_path / "trees.txt"),
        Candidate("elsewhere", "external", SIGNATURE),
    ]
    for candidate in candidates:
        version = store.add(candidate, 1)
        references = References(store)
        assert references.of(version.model)[version.version].digest == ""
        store.put_reference(version, reference(0))
        content = store.reference_path(version).read_bytes()
        assert references.of(version.model)[version.version].digest == hashlib.sha256(content).hexdigest()
