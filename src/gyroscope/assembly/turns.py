"""A loop's look at one model after another: what goes wrong with one keeps no other from its turn.

The loops of rollouts and retraining come by here. What failed is tried again with the next look.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

LOG = logging.getLogger(__name__)


def each(loop: str, models: Iterable[str], look: Callable[[str], object]) -> None:
    """Look at every model, and say of which it failed."""
    for model in models:
        try:
            look(model)
        except Exception:  # the other models go on: one with a damaged log must not keep a canary from being taken back
            LOG.exception("%s: the look at %s failed and is tried again", loop, model)
