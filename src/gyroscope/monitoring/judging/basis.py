"""What the windows of a version are held against: those of its reference, or those since an accepted change.

`Judge` asks for it each round. A reference with fewer windows than evidence needs is filled up with the first windows
of production, which then are judged by nobody. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from gyroscope.clock import EventTime
from gyroscope.models.reference import ReferenceProfile
from gyroscope.monitoring.references import Standard
from gyroscope.records import NotEnoughData, Window
from gyroscope.stats.evidence import LEAST_WINDOWS


class Basis(msgspec.Struct, frozen=True):
    """`reference` of the windows of the version's reference and `added` of production's are normal.

    Windows that start at or after `since` are judged. `id` changes with anything that is normal.
    """

    id: str
    reference: ReferenceProfile
    added: tuple[Window, ...]
    since: EventTime
    icc: dict[str, float]
    uses_reference: bool = True

    @property
    def windows(self) -> int:
        """How many normal windows there are."""
        return len(self.added) + (len(self.reference.windows) if self.uses_reference else 0)


def basis_of(
    standard: Standard, epochs: Sequence[EventTime], complete: Sequence[Window], measuring: Sequence[Window] = ()
) -> Basis | NotEnoughData:
    """The basis of a version, given the changes that were accepted and its complete windows, oldest first.

    While late rows or labels of an accepted stretch are `measuring`, there is none: the old normal does not come back.
    """
    reference = standard.reference
    if isinstance(reference, NotEnoughData):
        return reference
    for epoch in reversed(epochs):
        since = [window for window in complete if window.start >= epoch][:LEAST_WINDOWS]
        if len(since) == LEAST_WINDOWS:
            return _basis(standard, reference, since, uses_reference=False)
        if len(since) + sum(window.start >= epoch for window in measuring) >= LEAST_WINDOWS:
            return NotEnoughData("the windows of the new normal are being measured")
    later = [window for window in complete if window.start not in standard.windows]
    needed = max(LEAST_WINDOWS - len(reference.windows), 0)
    if len(later) < needed:
        return NotEnoughData(
            f"learning what is normal: {len(reference.windows) + len(later)} of {LEAST_WINDOWS} windows are there"
        )
    return _basis(standard, reference, later[:needed], uses_reference=True)


def _basis(standard: Standard, reference: ReferenceProfile, added: list[Window], *, uses_reference: bool) -> Basis:
    text = f"{standard.digest} {uses_reference} {[window.start for window in added]}"
    last = added[-1].end if added else EventTime(0)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return Basis(digest, reference, tuple(added), EventTime(last), standard.icc, uses_reference)
