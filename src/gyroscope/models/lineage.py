"""Where a version comes from: the data, the code and the version it is to replace; a file beside the version.

Retraining writes it once, people and pages read it.
"""

from __future__ import annotations

import msgspec

from gyroscope.clock import EventTime


class Lineage(msgspec.Struct, frozen=True):
    """`data` is a digest of the rows, `code` the SHA-256 of the training code, `parent` the champion of then."""

    parent: str
    training: str
    because: str
    data: str
    rows: int
    first: EventTime
    last: EventTime
    code: str
    parameters: dict[str, str] = {}
