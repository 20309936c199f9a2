"""From outcomes to the numbers people know, each with its 95 % interval or the reason why it is not known.

Monitoring and reports call `metrics`. It never sees a row.
"""

from __future__ import annotations

from gyroscope.records import NotEnoughData, Task
from gyroscope.stats.intervals import Estimate
from gyroscope.stats.performance.binary import BINARY, binary_metrics
from gyroscope.stats.performance.multiclass import multiclass_metrics
from gyroscope.stats.performance.outcomes import Outcomes
from gyroscope.stats.performance.ranking import RANKING, ranking_metrics
from gyroscope.stats.performance.regression import regression_metrics

METRICS: dict[Task, tuple[str, ...]] = {
    "binary": BINARY,
    "multiclass": ("accuracy", "precision_macro", "recall_macro", "f1_macro", "log_loss"),
    "regression": ("mae", "rmse", "bias", "r2"),
    "ranking": RANKING,
}
"""The names `metrics` gives, by task, in the order they are shown."""

_BY_TASK = {
    "binary": binary_metrics,
    "multiclass": multiclass_metrics,
    "regression": regression_metrics,
    "ranking": ranking_metrics,
}


def metrics(outcomes: Outcomes) -> dict[str, Estimate | NotEnoughData]:
    """Every metric of the task.

    Parameters
    ----------
    outcomes : Outcomes

    Returns
    -------
    dict of str to Estimate or NotEnoughData
        The names of `METRICS[outcomes.task]`. Losses and errors are in the unit of the output, shares in 0 to 1.
        All but `auc` and `average_precision` equal the metric of the rows: shares bit for bit, means of losses and
        errors to 1e-12 relative (rounding of the single rows), `r2` to 1e-9. Those two are within `auc_bound` and
        `average_precision_bound`.

    Notes
    -----
    Intervals treat the rows of this window as independent; see `binary.py`, `multiclass.py` and `regression.py` for
    each one's source.

    Examples
    --------
    >>> import numpy as np
    >>> from gyroscope.stats.performance import tally
    >>> known = metrics(tally("binary", np.array([0.9, 0.8, 0.3, 0.1]), np.array([1, 0, 0, 0])))
    >>> known["accuracy"].value, known["precision"].value, known["recall"].value
    (0.75, 0.5, 1.0)
    >>> metrics(tally("regression", np.empty(0), np.empty(0)))["mae"]
    NotEnoughData(reason='no labelled row')
    """
    return _BY_TASK[outcomes.task](outcomes)
