"""The store of what models said: segments, tables, labels and their join.

A replica appends to `PredictionLog`, one `Recorder` per home turns segments into one Delta table per model, `Table`
reads it typed, `Labels` keeps every outcome in exactly one state. This room never judges a model.
"""

from gyroscope.predictions.labels import LabelReport, Labels
from gyroscope.predictions.log import PredictionLog, segment_folder
from gyroscope.predictions.recorder import Recorder
from gyroscope.predictions.table import Outcomes, Table, TableFile, table_path
from gyroscope.predictions.wal import LogEntry

__all__ = [
    "LabelReport",
    "Labels",
    "LogEntry",
    "Outcomes",
    "PredictionLog",
    "Recorder",
    "Table",
    "TableFile",
    "segment_folder",
    "table_path",
]
