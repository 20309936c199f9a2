"""Attribution: which feature, which bin, and whether rows moved or the relation changed.

`tally_losses` counts, `attribute` splits a gap. Incidents and reports call this. It needs no raw rows of the reference,
and it names suspects, never causes.
"""

from gyroscope.stats.attribution.losses import BinLosses, FeatureLosses, cells_of, tally_losses
from gyroscope.stats.attribution.split import Attribution, FeatureSplit, attribute

__all__ = [
    "Attribution",
    "BinLosses",
    "FeatureLosses",
    "FeatureSplit",
    "attribute",
    "cells_of",
    "tally_losses",
]
