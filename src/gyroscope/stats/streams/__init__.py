"""Streams of columns: what a window's profile says about each column, as one number per window each.

`fit_columns` learns the scale from the profiles of the reference windows, the engine in `stats/evidence` judges the
streams. Monitoring calls this. It counts nothing itself and calls nothing drift.
"""

from gyroscope.stats.streams.columns import ColumnScale, column_streams, fit_columns

__all__ = ["ColumnScale", "column_streams", "fit_columns"]
