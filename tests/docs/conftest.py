"""The pages a reader meets, cut into blocks that can be run, and the files that their examples take for granted.

A fenced block marked `python` or `console` is run unless the line before it says `<!-- not run: reason -->`.
Inside a console block `pip install` and `make` are looked at and not run: the machine is prepared already.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FENCE = re.compile(
    r"^(?:<!-- not run: (?P<reason>[^\n]+) -->\n)?^```(?P<kind>\w+)\n(?P<code>.*?)^```$", flags=re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """One fenced block; `reason` says why it is not run."""

    page: str
    line: int
    kind: str
    code: str
    reason: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """README.md and everything below docs/."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page in their order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            page=page.relative_to(ROOT).as_posix(),
            line=text[: found.start("kind")].count("\n") + 1,
            kind=found["kind"],
            code=found["code"],
            reason=found["reason"] or "",
        )
        for found in FENCE.finditer(text)
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`page`: every page; `block`: every block that says it can be run."""
    if "page" in metafunc.fixturenames:
        metafunc.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
    if "block" in metafunc.fixturenames:
        every = [block for page in pages() for block in blocks(page)]
        metafunc.parametrize("block", every, ids=lambda block: block.where)


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def cut():
    return blocks
