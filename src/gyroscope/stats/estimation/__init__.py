"""Performance without labels: what held-out predictions say that the scores of a window are worth.

`fit_estimator` learns from the reference's windows, `estimate` reads scores, `track` follows them while labels come,
`relation_stream` tells whether scores still mean what they meant. Binary classifiers only. It never alarms.
"""

from gyroscope.stats.estimation.calibration import Calibration, fit_calibration
from gyroscope.stats.estimation.estimator import Estimator, fit_estimator
from gyroscope.stats.estimation.expected import expected_metrics
from gyroscope.stats.estimation.first_labels import FirstLabels, fit_first_labels, least_chance
from gyroscope.stats.estimation.relation import (
    Support,
    Verdict,
    estimate_stream,
    relation_stream,
    relation_verdict,
    support_of,
)
from gyroscope.stats.estimation.scores import Scores
from gyroscope.stats.estimation.tracking import Track, track

__all__ = [
    "Calibration",
    "Estimator",
    "FirstLabels",
    "Scores",
    "Support",
    "Track",
    "Verdict",
    "estimate_stream",
    "expected_metrics",
    "fit_calibration",
    "fit_estimator",
    "fit_first_labels",
    "least_chance",
    "relation_stream",
    "relation_verdict",
    "support_of",
    "track",
]
