"""What a page says beside performance while the labels of a window are still coming and are not like the rest.

`pages.py` asks for it. It only puts signals into words.
"""

from __future__ import annotations

from gyroscope.clock import EventTime, day_of
from gyroscope.records import NotEnoughData, Signal
from gyroscope.web.parts import Parts
from gyroscope.web.series import event_signals

MOST = 3


def early_labels_text(parts: Parts, model: str) -> list[str]:
    """One sentence per window whose first labels mislead, newest first."""
    newest_first = event_signals(parts, "reading", {"model": model, "kind": "labels"})[::-1]
    return [_sentence(parts, one) for one in newest_first[:MOST]]


def _sentence(parts: Parts, reading: Signal) -> str:
    labels = {**dict(reading.labels), "metric": "accuracy"}
    labels.pop("kind", None)
    day = day_of(reading.at, parts.settings.monitoring.timezone)
    moved = reading.value if isinstance(reading.value, float) else 0.0
    said = f"{day}, version {labels['version']}: the first labels are not like the rest. "
    said += f"With all of them, accuracy usually moves by {moved:+.3f}."
    low, high = (_at(parts, name, labels, reading.at) for name in ("performance_low", "performance_high"))
    if low is None or high is None:
        return said
    return f"{said} Whatever the missing ones say, it lies between {low:.3f} and {high:.3f}."


def _at(parts: Parts, name: str, labels: dict[str, str], at: EventTime) -> float | None:
    found = [one.value for one in parts.signals.query(name, labels, at, EventTime(at + 1))]
    return found[0] if found and not isinstance(found[0], NotEnoughData) else None
