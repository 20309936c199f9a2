"""Labelled days in two segments, tallied as the monitor would, for pages and commands that show what it keeps."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gyroscope.clock import DAY_US, EventTime, day_of
from gyroscope.monitoring.cache import Cache
from gyroscope.monitoring.fold import Cell
from gyroscope.monitoring.tally import Tally
from gyroscope.stats.attribution import tally_losses
from gyroscope.stats.performance import Arrivals, SegmentOutcomes, tally
from gyroscope.stats.profiles import Layout


def keep_segments(
    path: Path, model: str, version: str, names: tuple[str, str], start: EventTime, days: int = 20
) -> None:
    """In the cache of a home: rows of the second segment are wrong twice as often."""
    rng, cache = np.random.default_rng(0), Cache(path)
    labels, nothing = np.arange(300) % 2, tally_losses({}, np.empty(0), Layout({}))
    tallies = {}
    for number in range(days):
        at = EventTime(start + number * DAY_US)
        parts = {
            name: tally("binary", 0.2 + 0.6 * ((rng.random(300) < wrong) ^ (labels == 1)), labels)
            for name, wrong in zip(names, (0.2, 0.4), strict=True)
        }
        whole = parts[names[0]].merge(parts[names[1]])
        segments = SegmentOutcomes(parts)
        tallies[Cell(version, at, day_of(at, "UTC"))] = Tally(whole, Arrivals.empty(), nothing, segments).packed()
    cache.put_tallies(model, tallies)
    cache.close()
