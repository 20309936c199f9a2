"""What comes from what: as the policy says before all, else as columns move together; outputs come from everything."""

from __future__ import annotations

import numpy as np

from gyroscope.monitoring.judging.inspection import lineage_of
from gyroscope.stats.evidence import stream


def columns():
    rng = np.random.default_rng(0)
    days = rng.normal(0, 1, 30)
    made = stream("age:location", days, np.full(30, 0.01))
    for name, values in (("age_squared", days + rng.normal(0, 0.2, 30)), ("city_code", rng.normal(0, 1, 30))):
        made = made.join(stream(f"{name}:location", values, np.full(30, 0.01)))
    return made.join(stream("age:missing", days, np.full(30, 0.01)))


def test_columns_that_move_together_come_from_one_another_and_outputs_from_all():
    found = lineage_of({}, columns(), ["probability"])
    assert sorted([*found["age"], *found["age_squared"]]) in (
        ["age", "probability", "probability"],
        ["age_squared", "probability", "probability"],
    )
    assert found["city_code"] == ["probability"]


def test_the_policy_has_the_last_word():
    found = lineage_of({"age_squared": "age", "bucket": "city_code"}, columns(), [])
    assert found == {"age": ["age_squared"], "age_squared": [], "city_code": ["bucket"]}
