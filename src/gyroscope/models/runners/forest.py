"""The trees of a LightGBM model as one node of ONNX, which takes several rows at once in two thirds of the time.

`lightgbm.py` asks for it where both libraries are installed. The same bits or none at all: a model that ONNX cannot
say, or that turns out to differ in one bit, has no forest and is served as it always was.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper
from onnxruntime.capi import onnxruntime_pybind11_state as refusals

from gyroscope.models.runners.onnx import open_session

FROM_ROWS = 4
"""Fewer are answered sooner by LightGBM, one after the other."""

MOST_LEAVES = 4_096
"""Of a tree: ONNX Runtime walks one by recursion when it loads it, and a chain of 13,000 leaves ends the process."""

REFUSED = (
    refusals.Fail, refusals.InvalidArgument, refusals.InvalidGraph, refusals.InvalidProtobuf, refusals.NotImplemented,
    refusals.RuntimeException,
)  # fmt: skip
"""What ONNX Runtime raises at a model that it cannot build or run: they have no base of their own."""

# How the sum over the trees becomes the answer; any other way is left to LightGBM.
_SUMS = re.compile(r"^objective=(?:binary sigmoid:(\S+)|regression)$", re.MULTILINE)
_COLUMNS = ("split_feature", "decision_type", "left_child", "right_child", "threshold")
# Bits of a decision; the others say where a missing value goes, and none is asked about here.
_CATEGORICAL, _ZERO_IS_MISSING = 1, 4
# LightGBM takes numbers as near to zero as this for zero.
_ZERO = float(np.float32(1e-35))
_COMPARED = 64


class _Trees(NamedTuple):
    """All trees behind each other; a child below zero is a leaf, its number's complement."""

    features: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    thresholds: NDArray[np.float64]
    leaves: NDArray[np.float64]
    roots: list[int]


class _Table(NamedTuple):
    """Memory of so many rows and their sums, and what binds a session to it."""

    rows: memoryview
    sums: NDArray[np.float64]
    binding: Any


class Forest:
    """For one model; `forest` makes it. Like a runner, it is called by one thread at a time."""

    def __init__(self, trees: _Trees, width: int, sigmoid: float | None) -> None:
        self._session = open_session(_model(trees, width))
        # As for a single row in `onnx.py`: the session's own method, and options that are made once.
        self._run, self._how = self._session._sess.run_with_iobinding, onnxruntime.RunOptions()
        self._width = width
        self._sigmoid = sigmoid
        self._tables: dict[int, _Table] = {}

    def numbers(self, rows: Sequence[bytes]) -> list[float]:
        """The one number of each row; rows come as bytes, without a missing value."""
        table = self._tables.get(len(rows)) or self._lay(len(rows))
        table.rows[:] = b"".join(rows)
        self._run(table.binding._iobinding, self._how)
        sums: list[float] = table.sums.tolist()
        sigmoid = self._sigmoid
        return sums if sigmoid is None else [1 / (1 + math.exp(-sigmoid * said)) for said in sums]

    def _lay(self, n: int) -> _Table:
        rows, sums, binding = np.zeros((n, self._width)), np.zeros((n, 1)), self._session.io_binding()
        binding.bind_input("rows", "cpu", 0, np.float64, rows.shape, rows.ctypes.data)
        binding.bind_output("sums", "cpu", 0, np.float64, sums.shape, sums.ctypes.data)
        table = self._tables[n] = _Table(rows.data.cast("B"), sums.ravel(), binding)
        return table


def forest(text: str, width: int, one: Callable[[bytes], float]) -> Forest | None:
    """The trees of a model file with `width` features, when they say to the last bit what `one` says of a row."""
    head, _, rest = text.partition("\nTree=")
    sums = _SUMS.search(head)
    if not rest or not sums:
        return None
    try:
        trees = _read(rest.partition("\nend of trees")[0].split("\nTree="))
        if trees is None:
            return None
        made = Forest(trees, width, float(sums[1]) if sums[1] else None)
        rows = _rows_on_the_edge(trees, width)
        is_same = np.array(made.numbers(rows)).tobytes() == np.array([one(row) for row in rows]).tobytes()
    except (KeyError, ValueError, OverflowError, *REFUSED):  # written otherwise than LightGBM 4 does, sums beyond `exp`
        return None
    return made if is_same else None


def _read(texts: Sequence[str]) -> _Trees | None:
    """None for trees with categories or linear leaves, that take a zero for a missing value, or that are huge."""
    parts, roots, nodes, leaves = [], [], 0, 0
    for text in texts:
        says = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        values = _numbers(says["leaf_value"])
        # A tree without a node: one whose both ways lead to the only leaf says the same.
        alone = np.array([[0], [0], [-1], [-1], [0]])
        columns = [_numbers(says[name]) for name in _COLUMNS] if len(values) > 1 else alone
        features, decisions, left, right, thresholds = columns
        if says.get("is_linear", "0") != "0" or (decisions.astype(int) & (_CATEGORICAL | _ZERO_IS_MISSING)).any():
            return None
        if len(values) > MOST_LEAVES:
            return None
        left, right = (np.where(child < 0, child - leaves, child + nodes) for child in (left, right))
        parts.append((features, left, right, thresholds, values))
        roots.append(nodes)
        nodes, leaves = nodes + len(features), leaves + len(values)
    *whole, thresholds, values = (np.concatenate(column) for column in zip(*parts, strict=True))
    features, left, right = (column.astype(np.int64) for column in whole)
    return _Trees(features, left, right, _around_zero(thresholds), values, roots)


def _numbers(text: str) -> NDArray[np.float64]:
    return np.array(text.split(), np.float64)


def _around_zero(thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Thresholds that send whatever LightGBM takes for zero where zero goes."""
    edge = np.where(thresholds < 0, np.nextafter(-_ZERO, -1), _ZERO)
    return np.where(np.abs(thresholds) <= _ZERO, edge, thresholds)


def _rows_on_the_edge(trees: _Trees, width: int) -> list[bytes]:
    """Rows of the thresholds themselves, where a difference would show first, among others."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(_COMPARED, width))
    for at in range(width):
        known = trees.thresholds[trees.features == at]
        if known.size:
            rows[::2, at] = random.choice(known, len(rows[::2]))
    return [row.tobytes() for row in rows]


def _model(trees: _Trees, width: int) -> bytes:
    """In double precision and summed in the order of the trees, as LightGBM does.

    Where a missing value would go is not said: at each node that costs a tenth of the whole.
    """
    node = helper.make_node(
        "TreeEnsemble",
        ["rows"],
        ["sums"],
        domain="ai.onnx.ml",
        n_targets=1,
        tree_roots=trees.roots,
        nodes_featureids=trees.features,
        nodes_splits=_tensor(trees.thresholds, TensorProto.DOUBLE),
        nodes_modes=_tensor(np.zeros(trees.features.shape, np.uint8), TensorProto.UINT8),  # at most the threshold: left
        nodes_trueleafs=(trees.left < 0).astype(np.int64),
        nodes_truenodeids=np.where(trees.left < 0, ~trees.left, trees.left),
        nodes_falseleafs=(trees.right < 0).astype(np.int64),
        nodes_falsenodeids=np.where(trees.right < 0, ~trees.right, trees.right),
        leaf_targetids=np.zeros(len(trees.leaves), np.int64),
        leaf_weights=_tensor(trees.leaves, TensorProto.DOUBLE),
    )
    inside, outside = (
        helper.make_tensor_value_info(name, TensorProto.DOUBLE, [None, columns])
        for name, columns in (("rows", width), ("sums", 1))
    )
    graph = helper.make_graph([node], "forest", [inside], [outside])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 5)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString())


def _tensor(values: NDArray[Any], kind: int) -> TensorProto:
    return helper.make_tensor("", kind, values.shape, values.tobytes(), raw=True)
