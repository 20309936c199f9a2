"""Where the outside world is touched: clock, environment, foreign code, the pure kernel."""

from __future__ import annotations

import ast

FOREIGN_CODE = {
    "alerts/delivery.py": "a notifier's try of one letter: the others go on, this one is tried again",
    "assembly/control.py": "the outermost line of a loop: what failed is logged and tried again from what is stored",
    "assembly/turns.py": "a loop's look at one model: the others go on, this one is tried again",
    "models/convert_child.py": "what a pickle holds may raise anything; the child reports it and ends",
    "models/estimators.py": "converters of scikit-learn models raise whatever they like",
    "monitoring/loop.py": "the outermost line of a loop: the other models go on, this one is tried again",
    "predictions/labels/sources.py": "the border to drivers of databases; the other sources go on",
    "predictions/tables/batches.py": "what goes wrong behind Arrow has no type of its own; it is named and raised",
    "predictions/keeping/upkeep.py": "the outermost line of a loop: recording goes on, this table is tried again",
    "predictions/recording/recorder.py": "the outermost line of a loop: the other models go on, this one is read back",
    "predictions/segments/full.py": "the outermost line of a thread: this group is told no, the next is written",
    "models/runners/__init__.py": "the one border to a user's model, at load and at predict",
    "serving/http.py": "the outermost line of a loop: ordinary requests that met a fault of ours go on to the line",
    "serving/line.py": "the outermost line of a loop: this call is told of a fault of ours, the next ones are answered",
    "sources/files.py": "arrow-rs panics where a file is damaged, which is no Exception; it is named and raised",
    "supervisor/loop.py": "the outermost line of a loop: a supervisor with a fault must go on watching",
}
"""File inside the package that may catch every exception -> the border it stands at. A handler that ends by raising
again cleans up and hides nothing; it needs no entry."""

READS_THE_CLOCK = {"now", "utcnow", "today", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "time_ns"}
IMPURE = {
    "asyncio", "contextvars", "duckdb", "http", "io", "logging", "os", "pathlib", "random", "shutil", "socket",
    "sqlite3", "subprocess", "tempfile", "threading", "time", "urllib",
}  # fmt: skip
GLOBAL_RANDOMNESS = {"seed", "rand", "randn", "randint", "random", "normal", "uniform", "choice", "shuffle"}
INHERITANCE = 2


def test_only_the_clock_reads_the_time(sources):
    found = []
    for source in sources:
        if source.inside == "clock.py":
            continue
        found += [f"{source.where}:{node.lineno} imports time" for node in _imports(source.tree, "time")]
        found += [
            f"{source.where}:{node.lineno} {ast.unparse(node.func)}()"
            for node in _calls(source.tree)
            if isinstance(node.func, ast.Attribute) and node.func.attr in READS_THE_CLOCK
        ]
    assert not found, f"take the moment as an argument, or call gyroscope.clock: {found}"


def test_only_the_settings_read_the_environment(sources):
    found = [
        f"{source.where}:{node.lineno}"
        for source in sources
        if source.inside != "settings.py"
        for node in ast.walk(source.tree)
        if ast.unparse(node) in ("os.environ", "os.getenv", "os.putenv", "os.environb")
        or (isinstance(node, ast.ImportFrom) and node.module == "os" and {"environ", "getenv"} & _names(node))
    ]
    assert not found, f"make it a setting, or read it in settings.py: {found}"


def test_everything_is_caught_only_at_borders_to_foreign_code(sources):
    catching = {
        source.inside: node.lineno
        for source in sources
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ExceptHandler) and _catches_everything(node)
    }
    found = {f"{name}:{line}" for name, line in catching.items() if name not in FOREIGN_CODE}
    assert not found, f"name the exceptions, or list the border in FOREIGN_CODE with its reason: {sorted(found)}"
    stale = set(FOREIGN_CODE) - set(catching)
    assert not stale, f"no longer catches everything; take it off FOREIGN_CODE: {sorted(stale)}"


def test_the_kernel_is_pure(sources):
    found = []
    for source in sources:
        if not source.inside.startswith("stats/"):
            continue
        found += [
            f"{source.where}:{node.lineno} {ast.unparse(node)}"
            for name in IMPURE
            for node in _imports(source.tree, name)
        ]
        for node in ast.walk(source.tree):
            if isinstance(node, (ast.Global, ast.AsyncFunctionDef)) or _is_impure_call(node):
                found.append(f"{source.where}:{node.lineno} {ast.unparse(node)[:60]}")
    assert not found, f"stats/ is numpy in, numbers out; take what it needs as an argument: {found}"


def test_classes_are_composed_not_stacked(sources):
    parents = {
        node.name: [ast.unparse(base).rpartition(".")[2].partition("[")[0] for base in node.bases]
        for source in sources
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef)
    }
    deep = [name for name in parents if not name.endswith("Error") and _levels(name, parents) > INHERITANCE]
    assert not deep, f"inherits over {INHERITANCE} levels; hold the other thing instead of being one: {deep}"


def _imports(tree: ast.Module, name: str) -> list[ast.stmt]:
    found: list[ast.stmt] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) and any(alias.name.partition(".")[0] == name for alias in node.names):
            found.append(node)
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == name:
            found.append(node)
    return found


def _names(node: ast.ImportFrom) -> set[str]:
    return {alias.name for alias in node.names}


def _calls(tree: ast.AST) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def _catches_everything(node: ast.ExceptHandler) -> bool:
    if isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None:
        return False
    kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    return any(kind is None or ast.unparse(kind) in ("Exception", "BaseException") for kind in kinds)


def _is_impure_call(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    called = ast.unparse(node.func)
    module, _, attribute = called.rpartition(".")
    return called in ("open", "print", "input") or (module == "np.random" and attribute in GLOBAL_RANDOMNESS)


def _levels(name: str, parents: dict[str, list[str]]) -> int:
    """How many classes of ours stand above this one."""
    return max(
        (1 + _levels(base, parents) for base in parents.get(name, []) if base in parents and base != name), default=0
    )
