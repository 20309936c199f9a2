"""Streams of ours, read by Polars."""

from __future__ import annotations

import io

import numpy as np
import polars as pl
import pytest

from gyroscope.serving.arrow.reader import Stream
from gyroscope.serving.arrow.writer import StreamWriter


@pytest.mark.parametrize("outputs", [np.array([0.1, 1 / 3, -0.0]), np.array([[0.25, 0.75], [1, 0]]), np.empty(0)])
def test_polars_reads_what_was_answered(outputs):
    names = ["p"] if outputs.ndim == 1 else ["no", "yes"]
    raw = StreamWriter(names).write(outputs)
    frame = pl.read_ipc_stream(io.BytesIO(raw))
    assert frame.columns == names
    np.testing.assert_array_equal(frame.to_numpy().reshape(outputs.shape), outputs)


def test_we_read_it_too():
    (column,) = Stream(StreamWriter(["p"]).write(np.array([0.5, 2.0])), 1).columns(lambda rows: None)
    assert (column.name, column.datatype, column.parts[0].values.tolist()) == ("p", "FP64", [0.5, 2.0])
