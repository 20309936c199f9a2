"""Whose turn it is to be judged: measuring comes first, and judging takes no more than a fifth of the time.

The loop asks after it has measured all models. Machine time only; what is judged later is judged on more windows at
once, with the same outcome.
"""

from __future__ import annotations

from collections.abc import Iterable

from gyroscope.clock import SECOND_NS, MachineTime

# A model is judged when something of it changed, and else this often, as time alone makes windows complete and labels
# mature; after five minutes without a row its last window ends with the clock.
RESTED_NS, QUIET_NS = 60 * SECOND_NS, 300 * SECOND_NS

SHARE = 5
"""Judging for a second takes up the judge for five."""

AHEAD_NS = 2 * SECOND_NS
"""How far ahead of that the judge may run: 0.4 s of work at once, so that few models never wait."""


class Turns:
    """Remembers which models have changed since they were judged, and until when the judge has used up its time."""

    def __init__(self) -> None:
        self._changed_at: dict[str, MachineTime] = {}
        self._judged_at: dict[str, MachineTime] = {}
        self._owed: set[str] = set()
        self._met_at: dict[str, MachineTime] = {}
        self._used_until = MachineTime(0)

    def changed(self, model: str, now: MachineTime) -> None:
        """Rows, labels or windows of a model are new."""
        self._changed_at[model] = now
        self._owed.add(model)

    def is_quiet(self, model: str, now: MachineTime) -> bool:
        """Whether a model has not changed for minutes, as far as anybody has looked."""
        return now - self._changed_at.get(model, self._met_at.setdefault(model, now)) >= QUIET_NS

    def due(self, models: Iterable[str], now: MachineTime) -> list[str]:
        """Those of some models that are to be judged, the one that has waited longest first."""
        never = MachineTime(-RESTED_NS)
        judged = {model: self._judged_at.get(model, never) for model in models}
        waiting = [model for model, at in judged.items() if model in self._owed or now - at >= RESTED_NS]
        return sorted(waiting, key=judged.__getitem__)

    def has_time(self, now: MachineTime) -> bool:
        """Whether the judge may take the next one now."""
        return self._used_until - now < AHEAD_NS

    def judged(self, model: str, began: MachineTime, ended: MachineTime) -> None:
        """A model was judged, whatever came of it."""
        self._judged_at[model] = began
        self._owed.discard(model)
        self._used_until = MachineTime(max(self._used_until, began) + SHARE * (ended - began))
