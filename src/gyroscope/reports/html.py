"""One HTML file with everything in it: words, tables, figures and the script that draws them.

Called by the comparison, the demo and the command line. It opens from a disk without a network: its own policy forbids
any connection, and only the two scripts whose hashes it names may run.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import msgspec
import plotly.graph_objects as go
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from gyroscope.errors import StoreError

DRAW = """
for (const place of document.querySelectorAll("[data-figure]")) {
  const figure = JSON.parse(document.getElementById(place.dataset.figure).textContent);
  // Eight dates do not fit side by side on a telephone.
  if (place.clientWidth < 600) figure.layout.xaxis = {...figure.layout.xaxis, nticks: 4};
  Plotly.newPlot(place, figure.data, figure.layout, {displayModeBar: false, responsive: true});
}
"""


class Table(msgspec.Struct, frozen=True):
    """Cells as text; the first column reads left to right, the others are numbers."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Section(msgspec.Struct, frozen=True):
    """A heading and what stands under it; `said` tells people who cannot see the figure what it shows."""

    heading: str
    text: str = ""
    figure: go.Figure | None = None
    said: str = ""
    table: Table | None = None


def self_contained_html(title: str, sections: Sequence[Section], subtitle: str = "") -> str:
    """The report as one text, with Plotly inside only when there is a figure to draw.

    Everything given is escaped: names of features and models are data.
    """
    drawn = any(section.figure is not None for section in sections)
    scripts = [_inert(get_plotlyjs()), DRAW] if drawn else []
    return (
        _environment()
        .get_template("report.html")
        .render(
            title=title,
            subtitle=subtitle,
            sections=sections,
            figures=[figure_json(section.figure) if section.figure else "" for section in sections],
            scripts=scripts,
            policy=_policy(scripts),
        )
    )


def figure_json(figure: go.Figure) -> str:
    r"""A figure as JSON that may stand inside HTML: no character of it can end a script or start a tag.

    >>> "<" in figure_json(go.Figure(layout={"title": {"text": "</script><b>"}}))
    False
    """
    return inert_json(str(figure.to_json(validate=False)))


def inert_json(text: str) -> str:
    r"""The same JSON without a character that means something to HTML; in JSON those only stand in strings.

    >>> inert_json('["</script>"]')
    '["\\u003c/script\\u003e"]'
    """
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def write_html(path: Path, text: str) -> None:
    """Put a report under a name, whole or not at all. Raises `StoreError` when the folder refuses."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise StoreError(
            f"the report cannot be written: {error.strerror}",
            where=str(path),
            fix="choose a folder that can be written",
        ) from error


def _inert(script: str) -> str:
    """No script may hold the text that ends one; inside its strings the backslash changes nothing."""
    return script.replace("</script", "<\\/script")


def _policy(scripts: Sequence[str]) -> str:
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{one}'" for one in hashes) or "'none'"
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


@cache
def _environment() -> Environment:
    folder = Path(__file__).parent
    return Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
