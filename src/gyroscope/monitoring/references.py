"""What each version is held against, and how far normal windows of its reference differ from one another.

The loop asks `References.of` each round; a reference that was put or replaced since is read anew. It never builds one
(that is `cold_start`) and never judges.
"""

from __future__ import annotations

import hashlib

import msgspec
import numpy as np
from scipy.special import ndtri

from gyroscope.clock import EventTime
from gyroscope.models.reference import ReferenceProfile
from gyroscope.models.store import ModelStore
from gyroscope.monitoring.fold import Lens, bare_layout
from gyroscope.monitoring.tally import Packed, empty_tally
from gyroscope.records import NotEnoughData, Version
from gyroscope.stats.drift import Effects, Variance, effects, intraclass
from gyroscope.stats.performance import Estimate, metrics
from gyroscope.stats.profiles import CategoryBins, ColumnCounts, Profile

# The most frequent categories carry the differences between windows; the eighth of a hundred rarely has 30 rows a day.
_CATEGORIES_ASKED = 8


class Standard(msgspec.Struct, frozen=True):
    """A version and what its windows are compared with.

    `icc` is the intraclass correlation of each column, 0 where the reference has too few windows to know it.
    `effects` measures how far windows have moved from it, `missing` is the share of each column that was missing all
    along. `digest` names the reference's content; it is empty without one. `unlabelled` is the tally of a cell without
    labels.
    """

    version: Version
    lens: Lens
    reference: ReferenceProfile | NotEnoughData
    digest: str
    icc: dict[str, float]
    effects: Effects | NotEnoughData
    missing: dict[str, float]
    metrics: dict[str, Estimate | NotEnoughData]
    windows: dict[EventTime, Profile]
    unlabelled: Packed


class References:
    """The standards of all models, kept in memory until a file changes."""

    def __init__(self, models: ModelStore) -> None:
        self._models = models
        self._known: dict[tuple[str, str], tuple[tuple[int, int], Standard]] = {}

    def of(self, model: str) -> dict[str, Standard]:
        """By version."""
        return {version.version: self._of(version) for version in self._models.versions(model)}

    def _of(self, version: Version) -> Standard:
        key, stamp = (version.model, version.version), self._stamp(version)
        known = self._known.get(key)
        if known is None or known[0] != stamp:
            reference = self._models.reference(version)
            known = (stamp, standard_of(version, reference, self._digest(version, reference)))
            self._known[key] = known
        return known[1]

    def _digest(self, version: Version, reference: ReferenceProfile | NotEnoughData) -> str:
        """Of the file as it lies there: a release that writes profiles in another form calls it by the same name."""
        if isinstance(reference, NotEnoughData):
            return ""
        return hashlib.sha256(self._models.reference_path(version).read_bytes()).hexdigest()

    def _stamp(self, version: Version) -> tuple[int, int]:
        """Changes when the reference does: it is replaced by a rename."""
        try:
            found = self._models.reference_path(version).stat()
        except FileNotFoundError:
            return (0, 0)
        return (found.st_ino, found.st_mtime_ns)


def standard_of(version: Version, reference: ReferenceProfile | NotEnoughData, digest: str) -> Standard:
    """Everything about a reference that does not depend on the window held against it; `digest` names its content."""
    signature = version.signature.as_logged
    if isinstance(reference, NotEnoughData):
        lens = Lens(signature, bare_layout(signature))
        return Standard(version, lens, reference, "", {}, reference, {}, {}, {}, empty_tally(lens).packed())
    lens, total = Lens(signature, reference.layout), reference.total
    icc = {name: column_icc(name, reference) for name in reference.layout.columns}
    return Standard(
        version=version,
        lens=lens,
        reference=reference,
        digest=digest,
        icc=icc,
        effects=effects(total.columns, icc, max(len(reference.windows), 1)),
        missing={name: column.missing / total.n for name, column in total.columns.items()} if total.n else {},
        metrics=metrics(reference.outcomes),
        windows={start: part for start, part, _ in reference.windows},
        unlabelled=empty_tally(lens).packed(),
    )


def column_icc(name: str, reference: ReferenceProfile) -> float:
    """How far the rows of one window resemble each other in a column, 0 to 1, from the reference's own windows.

    Numbers: of the normal score of the row's bin. Text: the median over the most frequent categories.
    """
    total = reference.total.columns[name]
    parts = [part.columns[name] for _, part, _ in reference.windows if part.columns[name].values]
    if len(parts) < 2 or not total.values:
        return 0.0
    if isinstance(total.bins, CategoryBins):
        asked = range(min(_CATEGORIES_ASKED, len(total.bins.categories)))
        found = [_icc(total, parts, np.eye(len(total.counts))[k]) for k in asked]
        return float(np.median(found)) if found else 0.0
    shares = total.counts / total.values
    return _icc(total, parts, ndtri(np.clip(np.cumsum(shares) - shares / 2, 1e-6, 1 - 1e-6)))


def _icc(total: ColumnCounts, parts: list[ColumnCounts], score: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    """The intraclass correlation of one score per cell of `counts`."""
    shares = total.counts / total.values
    variance = float(shares @ score**2 - (shares @ score) ** 2)
    sizes = np.array([part.values for part in parts], np.float64)
    means = np.array([part.counts @ score for part in parts]) / sizes
    found = intraclass(means, sizes, variance)
    return found.icc if isinstance(found, Variance) else 0.0
