"""Modules say what they are and functions of the kernel show what they do."""

from __future__ import annotations

import ast

import pytest

FEWEST, MOST = 2, 8


def test_every_module_opens_with_what_who_and_never(sources):
    wrong = []
    for source in sources:
        lines = [line for line in (ast.get_docstring(source.tree) or "").splitlines() if line.strip()]
        prose = [line for line in lines if not line.startswith((" ", "├", "└"))]
        if source.text.strip() and not (len(lines) >= FEWEST and len(prose) <= MOST):
            wrong.append(f"{source.where}: {len(prose)} lines")
    assert not wrong, f"open with {FEWEST} to {MOST} lines: what lives here, who calls it, what it never does: {wrong}"


def test_every_public_function_of_the_kernel_has_a_doctest(functions):
    bare = [
        function.where
        for function in functions
        if function.source.inside.startswith("stats/")
        and "." not in function.name
        and not function.name.startswith("_")
        and ">>>" not in (ast.get_docstring(function.node) or "")
    ]
    assert not bare, f"give each an example with real values (>>>): {bare}"


@pytest.mark.parametrize("mark", ["TODO", "FIXME", "XXX", "HACK", "NotImplementedError"])
def test_nothing_is_a_stub(sources, mark):
    found = [source.where for source in sources if mark in source.text]
    assert not found, f"{mark}: finish it or leave it out: {found}"
