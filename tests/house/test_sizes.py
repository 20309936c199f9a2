"""Files and functions stay small enough to be read at once."""

from __future__ import annotations

import ast
import statistics

FILE_LINES, FILE_P90, FILE_MEDIAN = 400, 300, 120
SHELL_LINES = 150
FUNCTION_LINES, FUNCTION_P90 = 50, 25
NESTING, PARAMETERS = 3, 6

BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)

LONG_SHELLS: dict[str, str] = {}
"""File of a shell that may be longer than 150 lines -> why."""


def test_no_file_is_over_400_lines(sources):
    long = [f"{source.where}: {source.lines} lines" for source in sources if source.lines > FILE_LINES]
    assert not long, f"over {FILE_LINES} lines; split at the missing noun: {long}"


def test_files_are_short_as_a_rule(sources):
    sizes = sorted(source.lines for source in sources)
    assert statistics.median(sizes) <= FILE_MEDIAN, f"the median file has over {FILE_MEDIAN} lines: split the longest"
    longest = [f"{source.where}: {source.lines}" for source in sources if source.lines > FILE_P90]
    assert _p90(sizes) <= FILE_P90, f"a tenth of the files has over {FILE_P90} lines; split one of {longest}"


def test_shells_only_translate(sources):
    shells = [source for source in sources if source.inside.startswith(("cli/", "web/"))]
    long = [f"{shell.where}: {shell.lines}" for shell in shells if shell.lines > SHELL_LINES]
    unexplained = [name for name in long if name.partition(":")[0] not in LONG_SHELLS]
    assert not unexplained, f"a shell over {SHELL_LINES} lines does more than translate; move the rest down: {long}"


def test_no_function_is_over_50_lines_of_code(functions):
    long = [
        f"{function.where}: {function.code_lines}" for function in functions if function.code_lines > FUNCTION_LINES
    ]
    assert not long, f"over {FUNCTION_LINES} lines of code; name its steps: {long}"


def test_functions_are_short_as_a_rule(functions):
    sizes = sorted(function.code_lines for function in functions)
    longest = [function.where for function in functions if function.code_lines > FUNCTION_P90]
    assert _p90(sizes) <= FUNCTION_P90, f"a tenth of the functions has over {FUNCTION_P90} lines: {longest}"


def test_blocks_nest_three_deep_at_most(functions):
    deep = [f"{function.where}: {_depth(function.node)}" for function in functions if _depth(function.node) > NESTING]
    assert not deep, f"blocks nest over {NESTING} deep; return early or name the inner block: {deep}"


def test_functions_take_six_parameters_at_most(functions):
    wide = [
        f"{function.where}: {len(function.parameters)}"
        for function in functions
        if len(function.parameters) > PARAMETERS and not _is_command(function)
    ]
    assert not wide, f"over {PARAMETERS} parameters; make them a record: {wide}"


def _is_command(function) -> bool:
    """A command of the shell: Typer reads its options from its parameters, each one annotated as such."""
    words = [ast.unparse(item.annotation or item) for item in function.parameters]
    is_declared = all("typer." in word or word.endswith(("Option", "Argument")) for word in words)
    return function.source.inside.startswith("cli/") and is_declared


def _depth(node: ast.AST, inside: int = 0) -> int:
    """How deep blocks nest; an `elif` is no deeper than its `if`, and an inner function starts again."""
    deepest = inside
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]
        step = 1 if isinstance(child, BLOCKS) and not is_elif else 0
        deepest = max(deepest, _depth(child, inside + step))
    return deepest


def _p90(ordered: list[int]) -> int:
    return ordered[int(0.9 * (len(ordered) - 1))]
