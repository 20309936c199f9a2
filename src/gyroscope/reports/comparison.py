"""Two profiles side by side: the drift of every column with its interval, what is missing, means and quantiles.

The notebook and `gyro compare` call `compare_profiles`. Pure but for `to_html`, which writes the report; what draws is
imported when something is to be drawn.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path

import msgspec

from gyroscope.errors import GyroscopeError, did_you_mean
from gyroscope.records import NotEnoughData
from gyroscope.stats.drift import PLAIN, Distance, DriftEffect, drifts, plain_distance
from gyroscope.stats.profiles import ColumnCounts, NumericBins, Profile

HEADER = ("column", "effect w", "95 % interval", "missing before", "missing now", "mean before", "mean now")
Known = float | NotEnoughData


class Summary(msgspec.Struct, frozen=True):
    """One column of one profile. Mean and quantiles are those of finite numbers, unknown for a column of strings."""

    rows: int
    missing_share: Known
    mean: Known
    p05: Known
    median: Known
    p95: Known


class ColumnComparison(msgspec.Struct, frozen=True):
    """One column of both; one that the current data does not have is missing in all its rows."""

    name: str
    kind: str
    effect: DriftEffect | NotEnoughData
    reference: Summary
    current: Summary


class Comparison(msgspec.Struct, frozen=True):
    """What `compare` gives back: columns by drift, largest first. A notebook shows it as a table.

    `added` are columns that only the current data has; they were not compared.
    """

    columns: tuple[ColumnComparison, ...]
    reference: Profile
    current: Profile
    added: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> ColumnComparison:
        """One column by its name."""
        for column in self.columns:
            if column.name == name:
                return column
        raise GyroscopeError(
            f"no column is called {name!r}", where="comparison", fix=did_you_mean(name, self.reference.columns)
        )

    def figure(self, name: str) -> object:
        """The distributions of one column, as a Plotly figure."""
        from gyroscope.reports.figures.distribution import distribution

        self[name]
        return distribution(name, self.reference.columns[name], self.current.columns[name])

    def distances(self) -> dict[str, dict[str, Distance | NotEnoughData]]:
        """Each column's distances by their names (psi, js, hellinger, ks, wasserstein, chi_square, l_infinity)."""
        before, now = self.reference.columns, self.current.columns
        names = [column.name for column in self.columns]
        return {name: {key: plain_distance(key, before[name], now[name]) for key in PLAIN} for name in names}

    def to_html(self, path: Path | str) -> Path:
        """Write the whole comparison as one file that opens anywhere."""
        from gyroscope.reports.comparison_page import comparison_html
        from gyroscope.reports.html import write_html

        target = Path(path)
        write_html(target, comparison_html(self))
        return target

    def __repr__(self) -> str:
        rows = [HEADER[:3], *(cells_of(column)[:3] for column in self.columns)]
        widths = [max(len(row[place]) for row in rows) for place in range(3)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([headline(self), *lines])

    def _repr_html_(self) -> str:
        """For notebooks: no script, so that it is shown in untrusted ones too."""
        return _html_table(self)


def compare_profiles(
    reference: Profile, current: Profile, added: tuple[str, ...] = (), gone: Mapping[str, str] | None = None
) -> Comparison:
    """Compare every column of two profiles on the same bins.

    Parameters
    ----------
    reference, current : Profile
        `current` counted on the layout of `reference`.
    added : tuple of str
        Names of columns that only the current data had.
    gone : mapping of str to str, optional
        Columns that the current data did not have in a form that can be counted, and why; they are counted as missing
        in all its rows.

    Returns
    -------
    Comparison

    Raises
    ------
    GyroscopeError
        When the two were counted on different bins.

    Examples
    --------
    >>> import numpy as np
    >>> from gyroscope.stats.profiles import fit_layout, profile
    >>> before, after = {"x": np.repeat([0.0, 1.0], [500, 500])}, {"x": np.repeat([0.0, 1.0], [300, 700])}
    >>> layout = fit_layout(before)
    >>> compare_profiles(profile(before, layout), profile(after, layout))
    1,000 rows against 1,000 of the reference
    column  effect w  95 % interval
    x       0.398     0.322 to 0.491
    """
    if reference.layout != current.layout:
        raise GyroscopeError(
            "these profiles were counted on different bins",
            where="compare(reference, current)",
            fix="make the current one by profile(data, reference=...)",
        )
    pairs = [(name, reference.columns[name], current.columns[name]) for name in reference.columns]
    why = {name: NotEnoughData(reason) for name, reason in (gone or {}).items()}
    moved = drifts(reference.columns, current.columns)
    columns = [
        ColumnComparison(name, _kind(before), why.get(name, moved[name]), summary(before), summary(after))
        for name, before, after in pairs
    ]
    return Comparison(tuple(sorted(columns, key=_order)), reference, current, added)


def summary(counts: ColumnCounts) -> Summary:
    """The numbers people ask for first."""
    missing: Known = counts.missing / counts.n if counts.n else NotEnoughData("no rows")
    found = counts.quantiles((0.05, 0.5, 0.95))
    p05, median, p95 = (found,) * 3 if isinstance(found, NotEnoughData) else found
    return Summary(counts.n, missing, counts.mean, p05, median, p95)


def _kind(counts: ColumnCounts) -> str:
    return "number" if isinstance(counts.bins, NumericBins) else "category"


def _order(column: ColumnComparison) -> tuple[float, str]:
    effect = column.effect
    return (1.0 if isinstance(effect, NotEnoughData) else -effect.effect, column.name)


def headline(comparison: Comparison) -> str:
    """How many rows stand against how many."""
    return f"{comparison.current.n:,} rows against {comparison.reference.n:,} of the reference"


def cells_of(column: ColumnComparison) -> tuple[str, ...]:
    """The cells of a column's line, as `HEADER` names them."""
    before, now = column.reference, column.current
    shares = (_share(before.missing_share), _share(now.missing_share))
    return (
        column.name,
        effect_text(column.effect),
        interval_text(column.effect),
        *shares,
        number_text(before.mean),
        number_text(now.mean),
    )


def effect_text(effect: DriftEffect | NotEnoughData) -> str:
    """The effect in three digits."""
    return "not enough data" if isinstance(effect, NotEnoughData) else f"{effect.effect:.3f}"


def interval_text(effect: DriftEffect | NotEnoughData) -> str:
    """The interval, or why there is none."""
    return effect.reason if isinstance(effect, NotEnoughData) else f"{effect.low:.3f} to {effect.high:.3f}"


def _share(value: Known) -> str:
    return "–" if isinstance(value, NotEnoughData) else f"{value:.2%}"


def number_text(value: Known) -> str:
    """A number in four digits."""
    return "–" if isinstance(value, NotEnoughData) else f"{value:.4g}"


def _html_table(comparison: Comparison) -> str:
    head = "".join(f'<th style="text-align:left">{html.escape(name)}</th>' for name in HEADER)
    rows = []
    for column in comparison.columns:
        name, effect, *rest = (html.escape(cell) for cell in cells_of(column))
        # A bar of 100 px at w = 1; w has no upper end, the picture does.
        wide = 0 if isinstance(column.effect, NotEnoughData) else round(100 * min(column.effect.effect, 1.0))
        bar = f'<span style="display:inline-block;height:.7em;width:{wide}px;background:#0072B2"></span>'
        cells = "".join(f'<td style="text-align:left">{cell}</td>' for cell in (name, f"{effect} {bar}", *rest))
        rows.append(f"<tr>{cells}</tr>")
    return (
        f"<div><p>{html.escape(headline(comparison))}</p><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
