"""Taking predictions in on the machine of the house itself: straight into its segments, drained at once if need be.

`gyro predictions add` and `gyroscope.log` write through here. While a recorder runs it does the draining; where none
does, this does it for a moment, under the recorder's own lock.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gyroscope.assembly.house import House
from gyroscope.errors import StoreError
from gyroscope.models.which import which_version
from gyroscope.predictions.ingest.ingest import PATIENCE_S, Ingest
from gyroscope.predictions.recording.recorder import Recorder
from gyroscope.records import Version


def version_for(house: House, model: str, name: str = "") -> Version:
    """The version that predictions are for: by id, by its name where it is served, else the one with the most traffic.

    Raises `ModelError` for a model or version that is not known.
    """
    return which_version(house.models, house.routes, model, name)


@contextmanager
def ingesting(house: House, version: Version, *, patience_s: float = PATIENCE_S) -> Iterator[Ingest]:
    """A writer for one version; what it wrote is recorded soon after, or before this returns when no recorder runs."""
    house.make_folders()
    ingest = Ingest(house.settings, version, lambda: drain(house), patience_s=patience_s)
    try:
        yield ingest
    finally:
        ingest.close()
    drain(house)


def drain(house: House) -> bool:
    """Record what lies in the segments, unless a recorder runs: then that is its work. Whether it was done here."""
    try:
        recorder = Recorder(house.home, house.runtime, house.models.get, house.zone_of)
    except StoreError:
        return False
    try:
        recorder.drain()
        if recorder.failures:
            raise StoreError(next(iter(recorder.failures.values())), where=str(house.home), fix="see gyro doctor")
    finally:
        recorder.close()
    return True
