"""The source tree as the house rules see it: parsed once, handed to every test of this folder.

A rule is a program that names the file, the rule and the fix. Exemptions stand beside their rule, each with its reason.
"""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "gyroscope"

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Function:
    """One function or method, with the name a reader would look for."""

    source: Source
    name: str
    node: FunctionNode

    @property
    def where(self) -> str:
        return f"{self.source.where}:{self.node.lineno} {self.name}"

    @cached_property
    def code_lines(self) -> int:
        """Lines that hold code: no docstring, comment or blank line."""
        first = self.node.body[0]
        skip = range(0)
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            skip = range(first.lineno, (first.end_lineno or first.lineno) + 1)
        lines = self.source.text.splitlines()
        span = range(self.node.lineno, (self.node.end_lineno or self.node.lineno) + 1)
        return sum(1 for number in span if number not in skip and lines[number - 1].strip().partition("#")[0])

    @property
    def parameters(self) -> list[ast.arg]:
        arguments = self.node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        return [argument for argument in every if argument.arg not in ("self", "cls")]


@dataclass(frozen=True)
class Source:
    """One Python file of the package."""

    path: Path

    @property
    def where(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def inside(self) -> str:
        """The path inside the package: `stats/drift/psi.py`."""
        return self.path.relative_to(PACKAGE).as_posix()

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def lines(self) -> int:
        return len(self.text.splitlines())

    @cached_property
    def functions(self) -> list[Function]:
        return list(_functions(self, self.tree, ""))


def _functions(source: Source, node: ast.AST, prefix: str) -> Iterator[Function]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, FunctionNode):
            yield Function(source, f"{prefix}{child.name}", child)
            yield from _functions(source, child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.ClassDef):
            yield from _functions(source, child, f"{prefix}{child.name}.")
        else:
            yield from _functions(source, child, prefix)


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def package() -> Path:
    return PACKAGE


@pytest.fixture(scope="session")
def sources() -> list[Source]:
    return [Source(path) for path in sorted(PACKAGE.rglob("*.py"))]


@pytest.fixture(scope="session")
def functions(sources: list[Source]) -> list[Function]:
    return [function for source in sources for function in source.functions]


@pytest.fixture(scope="session")
def tracked() -> list[Path]:
    """What a clone would hold."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]
