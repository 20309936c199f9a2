"""The bins of every column, fixed once by the reference, so that all later windows can be added up.

`fit_layout` makes these, `profile` counts on them, drift reads them. They never change after they are fitted.
"""

from __future__ import annotations

import msgspec


class NumericBins(msgspec.Struct, frozen=True, tag="numeric"):
    """Bins of a numeric column.

    `edges` ascend from the least to the greatest reference value. Bin k is [edges[k], edges[k + 1]), the last one
    with its end; an edge repeated at the end gives the greatest value a bin of its own. No edges: the reference had
    no value.

    Examples
    --------
    >>> NumericBins((0.0, 1.0, 1.0)).labels
    ('below 0', '0 to 1', '1', 'above 1')
    """

    edges: tuple[float, ...] = ()

    @property
    def size(self) -> int:
        """How many entries `ColumnCounts.counts` has."""
        return max(len(self.edges) + 1, 1)

    @property
    def labels(self) -> tuple[str, ...]:
        """One name per entry of `ColumnCounts.counts`, for people."""
        if not self.edges:
            return ("any value",)
        pairs = zip(self.edges, self.edges[1:], strict=False)
        inner = tuple(f"{low:g}" if low == high else f"{low:g} to {high:g}" for low, high in pairs)
        return (f"below {self.edges[0]:g}", *inner, f"above {self.edges[-1]:g}")


class CategoryBins(msgspec.Struct, frozen=True, tag="category"):
    """Bins of a column of strings.

    `categories` are the most frequent of the reference, each with a count of its own; `rare` are the next ones, known
    but counted together as `other`. Whatever is in neither counts as `new`: for a reference with more than 1,100
    different values, its rarest ones too, in the reference as well as later.

    Examples
    --------
    >>> CategoryBins(("JFK", "LGA")).labels
    ('JFK', 'LGA', 'other', 'new')
    """

    categories: tuple[str, ...] = ()
    rare: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """How many entries `ColumnCounts.counts` has."""
        return len(self.categories) + 2

    @property
    def labels(self) -> tuple[str, ...]:
        """One name per entry of `ColumnCounts.counts`, for people."""
        return (*self.categories, "other", "new")


Bins = NumericBins | CategoryBins


class Layout(msgspec.Struct, frozen=True):
    """The bins of each column, by name, in the order of the columns.

    Examples
    --------
    >>> list(Layout({"hour": NumericBins((0.0, 23.0))}).columns)
    ['hour']
    """

    columns: dict[str, Bins]
