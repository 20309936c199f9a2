"""Profiles: everything that is kept about the columns of a window, in a fixed, mergeable form.

`fit_layout` fixes the bins on the reference; `profile` counts a window on them; `Profile.merge` adds windows up.
Models, monitoring and the notebook call this. It never keeps a row and never judges.
"""

from gyroscope.stats.profiles.column import ColumnCounts
from gyroscope.stats.profiles.fitting import fit_layout
from gyroscope.stats.profiles.inputs import Column
from gyroscope.stats.profiles.layout import Bins, CategoryBins, Layout, NumericBins
from gyroscope.stats.profiles.profile import Profile, profile
from gyroscope.stats.profiles.sampling import RowSample

__all__ = [
    "Bins",
    "CategoryBins",
    "Column",
    "ColumnCounts",
    "Layout",
    "NumericBins",
    "Profile",
    "RowSample",
    "fit_layout",
    "profile",
]
