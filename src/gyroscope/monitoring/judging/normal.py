"""What is normal for a version, learned once per basis: limits of hard rules and baselines of every family of streams.

`Judge` keeps one of these a version and turns complete windows into entries with it. Pure.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import compress

import msgspec
import numpy as np

from gyroscope.monitoring.judging.basis import Basis
from gyroscope.monitoring.judging.entered import Entry
from gyroscope.monitoring.judging.estimates import Estimates, Values, estimates_of
from gyroscope.monitoring.judging.inspection import LOCATION, inspect, lineage_of
from gyroscope.records import CauseKind, NotEnoughData, Signature, Window
from gyroscope.settings_models import ModelMonitor
from gyroscope.stats.evidence import Baselines, Streams, fit_baselines
from gyroscope.stats.performance import (
    PRIMARY,
    Outcomes,
    PerformanceStream,
    SegmentOutcomes,
    as_streams,
    performance_streams,
    segment_points,
)
from gyroscope.stats.profiles import Profile
from gyroscope.stats.quality import (
    ColumnLimits,
    Lineage,
    Repetition,
    duplicate_rows,
    learn_limits,
    learn_repetition,
    soft_baselines,
)
from gyroscope.stats.streams import ColumnScale, fit_columns

FAR = 4.0
"""Standard deviations between windows: a column that moved so far at once may have changed its unit or place."""


class Rows(msgspec.Struct, frozen=True):
    """One complete window: its profile and how many scored rows it has."""

    window: Window
    profile: Profile
    scored: int


class Labelled(msgspec.Struct, frozen=True):
    """One window with mature labels: its scored rows, and what became of them, in all and by segment."""

    window: Window
    scored: int
    outcomes: Outcomes
    segments: SegmentOutcomes = SegmentOutcomes()


class Drift(msgspec.Struct, frozen=True, eq=False):
    """The streams of some columns: how windows become them, and what is normal."""

    scale: ColumnScale
    baselines: Baselines


class Normal(msgspec.Struct, frozen=True, eq=False):
    """`profiles` and `outcomes` are those of the normal windows, `total` is the profile of all of them."""

    basis: Basis
    signature: Signature
    policy: ModelMonitor
    profiles: tuple[Profile, ...]
    outcomes: tuple[Outcomes, ...]
    total: Profile
    repetition: Repetition | NotEnoughData
    limits: dict[str, ColumnLimits]
    drift: dict[CauseKind, Drift]
    quality: Baselines
    estimates: Estimates | NotEnoughData
    icc: dict[str, float]
    lineage: Lineage

    def enter(self, windows: Sequence[Rows]) -> list[Entry]:
        """What complete windows say, held against what is normal."""
        if not windows:
            return []
        profiles = [one.profile for one in windows]
        later = {kind: part.scale.streams(profiles) for kind, part in self.drift.items()}
        tables = [_by_window(streams) for streams in later.values()]
        elsewhere = self._elsewhere(later)
        guessed = (
            [({}, {})] * len(windows) if isinstance(self.estimates, NotEnoughData) else self.estimates.of(profiles)
        )
        entries = []
        for place, one in enumerate(windows):
            streams, estimates = guessed[place]
            here = reduce(operator.or_, (table[place] for table in tables), streams)
            broken = inspect(self.limits, self.profiles, self.total, one.profile, elsewhere[place], self.lineage)
            if not broken:  # a column without values makes rows alike
                repeated = duplicate_rows(self.repetition, one.profile)
                broken = () if repeated is None else (repeated,)
            entries.append(Entry(one.window, one.scored, here, broken, estimates=estimates))
        return entries

    def _elsewhere(self, later: Mapping[CauseKind, Streams]) -> list[list[str]]:
        """Of each window the columns whose location is four standard deviations or more from that of normal ones."""
        found: list[list[str]] = [[] for _ in range(next(iter(later.values())).windows)]
        for kind, streams in later.items():
            normal = self.drift[kind].baselines
            rows = [row for row, name in enumerate(normal.names) if name.endswith(LOCATION)]
            names = tuple(normal.names[row] for row in rows)
            here = streams.select(names)
            bound = FAR * np.sqrt(here.within + normal.tau2[rows, np.newaxis])
            is_far = here.present & (np.abs(here.y - normal.mean[rows, np.newaxis]) >= bound)
            for row, place in np.argwhere(is_far).tolist():
                found[place].append(names[row].removesuffix(LOCATION))
        return found

    @property
    def metrics(self) -> tuple[str, ...]:
        """Those that may page."""
        return self.policy.metrics or (PRIMARY[self.signature.task],)

    def label(self, windows: Sequence[Labelled]) -> list[Entry]:
        """What windows with mature labels say."""
        later = [one.outcomes for one in windows]
        nothing: list[Values] = [{}] * len(later)
        values = nothing if isinstance(self.estimates, NotEnoughData) else self.estimates.differences(later)
        return [
            Entry(
                window=one.window,
                rows=one.scored,
                streams=streams,
                outcomes=one.outcomes.to_bytes(),
                segments=segment_points(one.segments, self.metrics),
            )
            for one, streams in zip(windows, values, strict=True)
        ]

    def performance(
        self, later: Sequence[Outcomes]
    ) -> tuple[Baselines, Streams, dict[str, PerformanceStream]] | NotEnoughData:
        """The streams of the metrics that may page, over windows whose labels are there."""
        streams = performance_streams(self.outcomes, later, self.metrics)
        if not streams:
            return NotEnoughData("no window has labels")
        before, after = as_streams(streams, tolerance=0.0)
        return fit_baselines(before), after, streams


def learn(
    basis: Basis, added: Sequence[tuple[Profile, Outcomes | None]], signature: Signature, policy: ModelMonitor
) -> Normal:
    """Learn what is normal from a basis; `added` are the profile and outcomes of its windows of production."""
    windows = [(part, outcomes) for _, part, outcomes in basis.reference.windows] if basis.uses_reference else []
    profiles = (*(part for part, _ in windows), *(part for part, _ in added))
    outcomes = [*(found for _, found in windows), *(found for _, found in added)]
    parts = [part for part, _ in added]
    total = reduce(Profile.merge, [basis.reference.total, *parts] if basis.uses_reference else parts)
    watched = [name for name in total.columns if name not in policy.ignore]
    inputs = [name for name in watched if name in signature.as_logged.names]
    outputs = [name for name in watched if name not in signature.as_logged.names]
    known = tuple(found for found in outcomes if isinstance(found, Outcomes))
    drift = _drift(profiles, inputs)
    # Values below or above the reference's range creep with the season: they stay with drift, which informs.
    shares = tuple(name for name in drift.scale.reference.names if name.endswith((":missing", ":new")))
    return Normal(
        basis=basis,
        signature=signature,
        policy=policy,
        profiles=profiles,
        outcomes=known,
        total=total,
        repetition=learn_repetition(profiles),
        limits=learn_limits(profiles),
        drift={"output": _drift(profiles, outputs), "input": drift},
        quality=soft_baselines(drift.scale.reference.select(shares)),
        estimates=estimates_of(signature, known),
        icc=basis.icc,
        lineage=lineage_of(policy.made_from, drift.scale.reference, outputs),
    )


def column_of(stream: str, columns: Sequence[str]) -> str:
    """The column that a stream is about; of two that fit, the longer name.

    >>> column_of("from:city:omnibus", ("from", "from:city")), column_of("from=JFK", ("from", "from:city"))
    ('from:city', 'from')
    """
    fitting = [name for name in columns if stream.startswith((f"{name}:", f"{name}="))]
    return max(fitting, key=len, default="")


def _drift(profiles: Sequence[Profile], columns: Sequence[str]) -> Drift:
    scale = fit_columns(profiles, columns=columns)
    return Drift(scale, fit_baselines(scale.reference))


def _by_window(streams: Streams) -> list[dict[str, tuple[float, float]]]:
    """The values of each window by name; those that it does not have are left out."""
    y, within, here = (part.T.tolist() for part in (streams.y, streams.within, streams.present))
    return [
        dict(compress(zip(streams.names, zip(*pairs, strict=True), strict=True), there))
        for *pairs, there in zip(y, within, here, strict=True)
    ]
