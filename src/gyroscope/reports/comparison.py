"""Two profiles side by side: the drift of every column with its interval, what is missing, means and quantiles.

The notebook and `gyro compare` call `compare_profiles`. Pure but for `to_html`, which writes the report.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path

import msgspec

from gyroscope.errors import GyroscopeError, did_you_mean
from gyroscope.records import NotEnoughData
from gyroscope.reports.figures.distribution import distribution
from gyroscope.reports.html import Section, Table, self_contained_html, write_html
from gyroscope.stats.drift import DriftEffect, drift
from gyroscope.stats.profiles import ColumnCounts, NumericBins, Profile

HEADER = ("column", "effect w", "95 % interval", "missing before", "missing now", "mean before", "mean now")
MOST_FIGURES = 40
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
        self[name]
        return distribution(name, self.reference.columns[name], self.current.columns[name])

    def to_html(self, path: Path | str) -> Path:
        """Write the whole comparison as one file that opens anywhere."""
        target = Path(path)
        write_html(target, comparison_html(self))
        return target

    def __repr__(self) -> str:
        rows = [HEADER[:3], *(_row(column)[:3] for column in self.columns)]
        widths = [max(len(row[place]) for row in rows) for place in range(3)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([_counts(self), *lines])

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
    columns = [
        ColumnComparison(
            name, _kind(before), why[name] if name in why else drift(before, after), summary(before), summary(after)
        )
        for name, before, after in pairs
    ]
    return Comparison(tuple(sorted(columns, key=_order)), reference, current, added)


def summary(counts: ColumnCounts) -> Summary:
    """The numbers people ask for first."""
    missing: Known = counts.missing / counts.n if counts.n else NotEnoughData("no rows")
    p05, median, p95 = (counts.quantile(q) for q in (0.05, 0.5, 0.95))
    return Summary(counts.n, missing, counts.mean, p05, median, p95)


def comparison_html(comparison: Comparison) -> str:
    """The self-contained report: the table of all columns, then the most drifted ones as pictures."""
    rows = tuple(_row(column) for column in comparison.columns)
    new = f" Not compared, only in the current data: {', '.join(comparison.added)}." if comparison.added else ""
    head = Section(
        "All columns",
        "Effect w: 0 is no drift, 0.1 small, 0.3 medium, 0.5 large; an interval that starts at 0 is compatible with no "
        f"drift at all.{new}",
        table=Table(HEADER, rows),
    )
    drawn = [_picture(comparison, column) for column in comparison.columns[:MOST_FIGURES]]
    return self_contained_html("Current data against its reference", [head, *drawn], _counts(comparison))


def _picture(comparison: Comparison, column: ColumnComparison) -> Section:
    name = column.name
    figure = distribution(name, comparison.reference.columns[name], comparison.current.columns[name])
    before, now = column.reference, column.current
    text = f"Effect {_effect(column.effect)} ({_interval(column.effect)})."
    if not isinstance(before.median, NotEnoughData) and not isinstance(now.median, NotEnoughData):
        text += (
            f" Median {before.median:.4g}, now {now.median:.4g}; "
            f"5 to 95 % {_number(before.p05)} to {_number(before.p95)}, now {_number(now.p05)} to {_number(now.p95)}."
        )
    return Section(name, text, figure, f"Shares of rows per bin of {name}, reference and current")


def _kind(counts: ColumnCounts) -> str:
    return "number" if isinstance(counts.bins, NumericBins) else "category"


def _order(column: ColumnComparison) -> tuple[float, str]:
    effect = column.effect
    return (1.0 if isinstance(effect, NotEnoughData) else -effect.effect, column.name)


def _counts(comparison: Comparison) -> str:
    return f"{comparison.current.n:,} rows against {comparison.reference.n:,} of the reference"


def _row(column: ColumnComparison) -> tuple[str, ...]:
    before, now = column.reference, column.current
    shares = (_share(before.missing_share), _share(now.missing_share))
    return (
        column.name,
        _effect(column.effect),
        _interval(column.effect),
        *shares,
        _number(before.mean),
        _number(now.mean),
    )


def _effect(effect: DriftEffect | NotEnoughData) -> str:
    return "not enough data" if isinstance(effect, NotEnoughData) else f"{effect.effect:.3f}"


def _interval(effect: DriftEffect | NotEnoughData) -> str:
    return effect.reason if isinstance(effect, NotEnoughData) else f"{effect.low:.3f} to {effect.high:.3f}"


def _share(value: Known) -> str:
    return "–" if isinstance(value, NotEnoughData) else f"{value:.2%}"


def _number(value: Known) -> str:
    return "–" if isinstance(value, NotEnoughData) else f"{value:.4g}"


def _html_table(comparison: Comparison) -> str:
    head = "".join(f'<th style="text-align:left">{html.escape(name)}</th>' for name in HEADER)
    rows = []
    for column in comparison.columns:
        name, effect, *rest = (html.escape(cell) for cell in _row(column))
        # A bar of 100 px at w = 1; w has no upper end, the picture does.
        wide = 0 if isinstance(column.effect, NotEnoughData) else round(100 * min(column.effect.effect, 1.0))
        bar = f'<span style="display:inline-block;height:.7em;width:{wide}px;background:#0072B2"></span>'
        cells = "".join(f'<td style="text-align:left">{cell}</td>' for cell in (name, f"{effect} {bar}", *rest))
        rows.append(f"<tr>{cells}</tr>")
    return (
        f"<div><p>{html.escape(_counts(comparison))}</p><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
