"""Outcomes: what is kept about rows whose label is known, in integers that add up exactly.

`tally` makes them, `metrics` reads them, models and monitoring keep and merge them. They never hold a row.
"""

from __future__ import annotations

import msgspec

from gyroscope.errors import GyroscopeError, StoreError
from gyroscope.records import Task
from gyroscope.stats.arrays import pack_int, unpack_int
from gyroscope.stats.sparse import SparseCounts

_FORM = "gyroscope.outcomes"
_NUMBERS = (1, 2)  # 1 has no weights


class Outcomes(msgspec.Struct, frozen=True, kw_only=True):
    """Counts and exact sums of labelled rows.

    Attributes
    ----------
    task : "binary", "multiclass", "regression" or "ranking"
    threshold : float
        Binary: a score at or above it counts as positive. 0 otherwise.
    classes : int
        Number of classes; 2 for binary, 0 for regression, for ranking the positions that are looked at.
    n : int
        Rows that count: a usable output and a usable label. For ranking, lists.
    unusable : int
        Rows left out: NaN, a score outside [0, 1], a label that is no class.
    huge : int
        Regression rows whose output or label is beyond 1e75, where fourth powers overflow; part of `n`.
    cells : SparseCounts
        Binary: 2 * score key + label. Multiclass: label * classes + predicted. Regression: buckets of errors.
        Ranking: position of the first relevant row, 0 for none.
    sums : dict of str to int
        Exact sums of losses, in units of 2**-1074.
    squares : int
        Sum of the squared weights of the rows in `n`; `n` itself where every row counts once.

    Examples
    --------
    >>> import numpy as np
    >>> from gyroscope.stats.performance import tally
    >>> one, two = np.array([0.9]), np.array([0.2, 0.4])
    >>> both = tally("binary", one, np.array([1])).merge(tally("binary", two, np.array([0, 1])))
    >>> both.n, both == tally("binary", np.array([0.9, 0.2, 0.4]), np.array([1, 0, 1]))
    (3, True)
    >>> Outcomes.from_bytes(both.to_bytes()) == both
    True
    """

    task: Task
    threshold: float
    classes: int
    n: int
    unusable: int
    huge: int
    cells: SparseCounts
    sums: dict[str, int]
    squares: int

    @property
    def support(self) -> float:
        """Rows behind one counted row: 1, or 1 / k where a sampled log keeps one row in k.

        n * support is the effective number of rows, (sum w)**2 / sum w**2 (Kish 1965, Survey Sampling).
        """
        return self.n / self.squares if self.squares else 1.0

    def scaled(self, weight: int) -> Outcomes:
        """The outcomes as if every row had been there `weight` times, exactly; `weight` is at least 1."""
        return msgspec.structs.replace(
            self,
            n=self.n * weight,
            unusable=self.unusable * weight,
            huge=self.huge * weight,
            cells=self.cells.scaled(weight),
            sums={name: total * weight for name, total in self.sums.items()},
            squares=self.squares * weight * weight,
        )

    def merge(self, other: Outcomes) -> Outcomes:
        """The outcomes of the rows of both, exactly.

        Raises
        ------
        GyroscopeError
            When the two have another task, threshold or number of classes.
        """
        mine, theirs = (self.task, self.threshold, self.classes), (other.task, other.threshold, other.classes)
        if mine != theirs:
            raise GyroscopeError(
                "these outcomes were not tallied alike",
                where=f"task, threshold, classes: {mine} and {theirs}",
                fix="tally both with the same signature",
            )
        return Outcomes(
            task=self.task,
            threshold=self.threshold,
            classes=self.classes,
            n=self.n + other.n,
            unusable=self.unusable + other.unusable,
            huge=self.huge + other.huge,
            cells=self.cells.merge(other.cells),
            sums={name: total + other.sums[name] for name, total in self.sums.items()},
            squares=self.squares + other.squares,
        )

    def to_bytes(self) -> bytes:
        """The frozen form: equal outcomes have equal bytes. Version 1 without weights, else version 2."""
        cells = self.cells.to_wire()
        sums = {name: pack_int(total) for name, total in self.sums.items()}
        head = (self.task, self.threshold, self.classes, self.n, self.unusable, self.huge)
        if self.squares == self.n:
            return msgspec.msgpack.encode(_Wire(_FORM, 1, *head, *cells, sums))
        return msgspec.msgpack.encode(_WeightedWire(_FORM, 2, *head, *cells, sums, self.squares))

    @staticmethod
    def from_bytes(packed: bytes) -> Outcomes:
        """What `to_bytes` wrote.

        Raises
        ------
        StoreError
            When the bytes are damaged, or no outcomes, or of a version this release does not know.
        """
        try:
            wire = msgspec.msgpack.decode(packed, type=_Wire)
            if wire.form != _FORM or wire.number not in _NUMBERS:
                raise ValueError(f"it says {wire.form!r} number {wire.number}")
            squares = msgspec.msgpack.decode(packed, type=_WeightedWire).squares if wire.number == 2 else wire.n
            return Outcomes(
                task=wire.task,
                threshold=wire.threshold,
                classes=wire.classes,
                n=wire.n,
                unusable=wire.unusable,
                huge=wire.huge,
                cells=SparseCounts.from_wire(wire.cell_steps, wire.cell_counts),
                sums={name: unpack_int(total) for name, total in wire.sums.items()},
                squares=squares,
            )
        except (msgspec.DecodeError, ValueError) as damage:
            raise StoreError(
                f"these are no outcomes of form 1 or 2: {damage}",
                where=f"{len(packed)} bytes",
                fix="tally the rows again",
            ) from damage


class _Wire(msgspec.Struct, array_like=True):
    form: str
    number: int
    task: Task
    threshold: float
    classes: int
    n: int
    unusable: int
    huge: int
    cell_steps: bytes
    cell_counts: bytes
    sums: dict[str, bytes]


class _WeightedWire(_Wire, array_like=True):
    squares: int
