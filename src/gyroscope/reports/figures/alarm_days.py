"""A loss day by day, and under it on which days whom alarmed: one strip each. A still picture, plain SVG.

The documentation shows it; whoever compares detectors may draw their own. It needs no browser code and judges nothing.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.reports.theme import BLUE, FAINT, FONT, GREYS, GRID, INK, PAPER, VERMILION

_LEFT, _WIDTH, _CHART, _STRIP, _TOP = 250, 720, 150, 20, 28


class Strip(msgspec.Struct, frozen=True):
    """Days ("2013-04-22") on which somebody alarmed; ours are drawn in the house's blue."""

    name: str
    days: Sequence[str]
    is_ours: bool = False


def alarm_days(
    title: str, days: Sequence[str], loss: NDArray[np.float64], harmful_from: float, strips: Sequence[Strip]
) -> str:
    """Draw the loss, the line from which a day is harmful, and the strips.

    Parameters
    ----------
    title : str
        What the loss is.
    days : sequence of str, length T
        In order, written year-month-day.
    loss : (T,) array
        NaN for a day without one.
    harmful_from : float
        Days at or above it are drawn red.
    strips : sequence of Strip
        Days that are not among `days` are left out.

    Returns
    -------
    str
        A whole SVG document.
    """
    at = {day: _LEFT + (place + 0.5) * _WIDTH / max(len(days), 1) for place, day in enumerate(days)}
    below = _TOP + _CHART + 24
    height = below + _STRIP * len(strips) + 10
    parts = [*_months(days, at, height), *_losses(days, at, loss, harmful_from)]
    for row, strip in enumerate(strips):
        parts += _strip(strip, at, below + row * _STRIP, len(days))
    parts.append(_text(_LEFT, 16, title, INK, "start"))
    view = f"0 0 {_LEFT + _WIDTH + 10} {height}"
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{view}" font-family="{html.escape(FONT)}" font-size="11">\n'
        f'<rect width="100%" height="100%" fill="{PAPER}"/>\n{body}\n</svg>\n'
    )


def _losses(days: Sequence[str], at: dict[str, float], loss: NDArray[np.float64], harmful_from: float) -> list[str]:
    known = np.isfinite(loss)
    top = max(float(loss[known].max()) if known.any() else 0.0, harmful_from, 1e-9) * 1.05
    floor, line = _TOP + _CHART, _TOP + _CHART * (1 - harmful_from / top)
    width = max(_WIDTH / max(len(days), 1) * 0.8, 0.5)
    parts = []
    for day, value, is_known in zip(days, loss.tolist(), known.tolist(), strict=True):
        if is_known:
            tall = _CHART * max(value, 0.0) / top
            colour = VERMILION if value >= harmful_from else GREYS[0]
            parts.append(_box(at[day] - width / 2, floor - tall, width, tall, colour, f"{day}: {value:.3f}"))
    parts.append(f'<path d="M{_LEFT} {line:.1f}h{_WIDTH}" stroke="{INK}" stroke-dasharray="4 3" fill="none"/>')
    parts.append(_text(_LEFT - 6, line + 4, f"harmful from {harmful_from:.2f}", FAINT, "end"))
    return parts


def _strip(strip: Strip, at: dict[str, float], y: float, days: int) -> list[str]:
    width = max(_WIDTH / max(days, 1), 2.0)
    known = [day for day in strip.days if day in at]
    colour = VERMILION if strip.name.startswith("harmful") else BLUE if strip.is_ours else GREYS[2]
    marks = [_box(at[day] - width / 2, y + 3, width, _STRIP - 6, colour, day) for day in known]
    rail = f'<path d="M{_LEFT} {y + _STRIP / 2:.1f}h{_WIDTH}" stroke="{GRID}" fill="none"/>'
    return [rail, *marks, _text(_LEFT - 6, y + _STRIP / 2 + 4, f"{strip.name} ({len(known)})", INK, "end")]


def _months(days: Sequence[str], at: dict[str, float], height: float) -> list[str]:
    parts = []
    for day in days:
        if day.endswith("-01"):
            x = at[day]
            parts.append(f'<path d="M{x:.1f} {_TOP}V{height - 6}" stroke="{GRID}" fill="none"/>')
            parts.append(_text(x + 3, _TOP + _CHART + 14, day[:7], FAINT, "start"))
    return parts


def _box(x: float, y: float, width: float, height: float, colour: str, words: str) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect {place} fill="{colour}"><title>{html.escape(words)}</title></rect>'


def _text(x: float, y: float, words: str, colour: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}">{html.escape(words)}</text>'
