"""Notices as lines in the log of control: the notifier of a house that names none.

Texts of models and columns are quoted: none of them can begin a line of its own.
"""

from __future__ import annotations

import logging

from gyroscope.alerts.notices import Notice
from gyroscope.alerts.notifiers import DELIVERED, Outcome
from gyroscope.clock import EventTime

LOG = logging.getLogger(__name__)


class LogNotifier:
    """Writes one line a notice."""

    def send(self, notice: Notice, now: EventTime) -> Outcome:
        """Never fails."""
        LOG.warning("incident %s %s: %r, %r", notice.incident, notice.happened, notice.title, notice.why)
        return DELIVERED
