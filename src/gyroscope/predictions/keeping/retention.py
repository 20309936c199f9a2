"""Which days of the log go, by age and by size: pure. `upkeep.py` asks and does it.

A whole day goes or none of it. A budget never takes the newest day of a model; an age does.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import msgspec

Sizes = Mapping[str, Mapping[str, int]]
"""Model -> day -> bytes."""


class Keeping(msgspec.Struct, frozen=True):
    """How long and how much is kept. A model without bytes of its own shares `shared_bytes` with the others.

    0 days: for ever. 0 bytes: no limit.
    """

    days: Mapping[str, int] = {}
    own_bytes: Mapping[str, int] = {}
    shared_bytes: int = 0
    default_days: int = 0

    def days_of(self, model: str) -> int:
        return self.days.get(model, self.default_days)


class Drop(msgspec.Struct, frozen=True):
    """One day of one model that has to go, and why: "age" or "budget"."""

    model: str
    day: str
    why: str


def drops(sizes: Sizes, keeping: Keeping, today: str) -> list[Drop]:
    """What has to go now, in this order.

    >>> sizes = {"flights": {"2013-01-01": 60, "2013-01-02": 60}, "churn": {"2013-01-01": 10}}
    >>> drops(sizes, Keeping(shared_bytes=100), "2013-01-03")
    [Drop(model='flights', day='2013-01-01', why='budget')]
    >>> [drop.day for drop in drops(sizes, Keeping(days={"churn": 1}), "2013-01-03")]
    ['2013-01-01']
    """
    old = [
        Drop(model, day, "age")
        for model, by_day in sorted(sizes.items())
        for day in sorted(by_day)
        if keeping.days_of(model) and day < _days_before(today, keeping.days_of(model))
    ]
    gone = {(drop.model, drop.day) for drop in old}
    left = {
        model: {day: size for day, size in by_day.items() if (model, day) not in gone}
        for model, by_day in sizes.items()
    }
    for model, limit in keeping.own_bytes.items():
        old += _over({model: left.get(model, {})}, limit)
    old += _over(
        {model: by_day for model, by_day in left.items() if model not in keeping.own_bytes}, keeping.shared_bytes
    )
    return old


def excess(sizes: Sizes, keeping: Keeping) -> dict[str, int]:
    """Model -> bytes over its budget, for those that are; of a shared budget the largest model bears it."""
    found = {model: sum(sizes.get(model, {}).values()) - limit for model, limit in keeping.own_bytes.items() if limit}
    shared = {model: sum(by_day.values()) for model, by_day in sizes.items() if model not in keeping.own_bytes}
    if keeping.shared_bytes and shared:
        largest = max(sorted(shared), key=lambda model: shared[model])
        found[largest] = sum(shared.values()) - keeping.shared_bytes
    return {model: over for model, over in found.items() if over > 0}


def _over(sizes: Sizes, limit: int) -> list[Drop]:
    """The oldest day of the largest model, again and again, until what is left fits."""
    left = {model: dict(by_day) for model, by_day in sizes.items()}
    found: list[Drop] = []
    while limit and sum(sum(by_day.values()) for by_day in left.values()) > limit:
        able = [model for model in sorted(left) if len(left[model]) > 1]
        if not able:
            break
        model = max(able, key=lambda name: sum(left[name].values()))
        day = min(left[model])
        left[model].pop(day)
        found.append(Drop(model, day, "budget"))
    return found


def _days_before(today: str, days: int) -> str:
    return (date.fromisoformat(today) - timedelta(days=days)).isoformat()
