"""Templates to answers: Jinja2 with autoescape for every file, strict about names that are missing.

Pages and the login call `page`. No route builds HTML in any other way.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse


def page(template: str, status: int = 200, **values: object) -> HTMLResponse:
    """One template with its values, escaped."""
    return HTMLResponse(_environment().get_template(template).render(values), status)


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
