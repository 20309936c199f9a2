"""Performance of answered predictions: tallies that merge exactly, and the metrics that follow from them.

`tally` counts rows with their labels, `metrics` turns the counts into numbers with 95 % intervals, `streams` into one
number per window for the engine. Models, monitoring and reports call this. It never decides whether a number is bad.
"""

from gyroscope.stats.intervals import Estimate, mean_estimate, share_estimate
from gyroscope.stats.performance.arrivals import Arrivals, count_arrivals
from gyroscope.stats.performance.average_precision import average_precision_bound
from gyroscope.stats.performance.binary import auc_bound
from gyroscope.stats.performance.calibration import CalibrationBin, calibration
from gyroscope.stats.performance.early import (
    LAG_SHARE,
    LEAST_COVERAGE,
    MATURE_COVERAGE,
    EarlyLabels,
    early_labels,
    is_mature,
    loss_bounds,
)
from gyroscope.stats.performance.gaps import segment_gaps
from gyroscope.stats.performance.gate import least_change, matters_at
from gyroscope.stats.performance.metrics import METRICS, metrics
from gyroscope.stats.performance.multiclass import confusion
from gyroscope.stats.performance.outcomes import Outcomes
from gyroscope.stats.performance.ranking import tally_ranking
from gyroscope.stats.performance.scales import SCALES, arcsine_point
from gyroscope.stats.performance.segments import (
    SegmentOutcomes,
    rest_of,
    segment_points,
    segment_streams,
)
from gyroscope.stats.performance.streams import (
    TOLERANCE,
    PerformanceStream,
    Series,
    as_streams,
    early_floor,
    performance_streams,
)
from gyroscope.stats.performance.tally import tally

PRIMARY = {task: next(iter(scales)) for task, scales in SCALES.items()}
"""The metric of each task that pages when nothing else is asked for."""

__all__ = [
    "LAG_SHARE",
    "LEAST_COVERAGE",
    "MATURE_COVERAGE",
    "METRICS",
    "PRIMARY",
    "SCALES",
    "TOLERANCE",
    "Arrivals",
    "CalibrationBin",
    "EarlyLabels",
    "Estimate",
    "Outcomes",
    "PerformanceStream",
    "SegmentOutcomes",
    "Series",
    "arcsine_point",
    "as_streams",
    "auc_bound",
    "average_precision_bound",
    "calibration",
    "confusion",
    "count_arrivals",
    "early_floor",
    "early_labels",
    "is_mature",
    "least_change",
    "loss_bounds",
    "matters_at",
    "mean_estimate",
    "metrics",
    "performance_streams",
    "rest_of",
    "segment_gaps",
    "segment_points",
    "segment_streams",
    "share_estimate",
    "tally",
    "tally_ranking",
]
