"""What is wrong with the data of a window, as a record: which rule, which column, why, with the figures.

Every rule of this room returns these; monitoring stores them, alerts turn them into incidents. A finding is certain
enough to act on at once: it is no evidence that adds up over windows, and it never says that a model is worse.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class FindingKind(StrEnum):
    """The rule that spoke, gravest first: of two findings about one cause the earlier kind names it."""

    ABSENT = "absent"
    TYPE_CHANGED = "type_changed"
    NO_ROWS = "no_rows"
    STALE = "stale"
    ALL_MISSING = "all_missing"
    CONSTANT = "constant"
    SWAPPED = "swapped"
    UNIT_CHANGED = "unit_changed"
    UNUSUAL = "unusual"
    DUPLICATE_ROWS = "duplicate_rows"
    FUTURE_TIME = "future_time"

    @property
    def rank(self) -> int:
        """0 for the gravest.

        >>> FindingKind.ABSENT.rank, FindingKind.TYPE_CHANGED.rank
        (0, 1)
        """
        return list(FindingKind).index(self)


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong.

    Attributes
    ----------
    kind : FindingKind
    column : str
        Empty where the whole window is meant.
    reason : str
        One sentence for people, with the numbers that decided.
    figures : dict of str to float
        The same numbers, by name: shares are 0 to 1, times in seconds.

    Examples
    --------
    >>> Finding(FindingKind.CONSTANT, "age", "every one of 900 rows is 0", {"rows": 900}).kind.value
    'constant'
    """

    kind: FindingKind
    column: str
    reason: str
    figures: dict[str, float] = {}
