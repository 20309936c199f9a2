"""Every path reads as a phrase, and the public surface is small."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from pathlib import PurePosixPath

import pytest

import gyroscope

DRAWERS = {"util", "utils", "helper", "helpers", "common", "misc", "core", "base", "manager", "managers"} | {
    "handler",
    "handlers",
    "impl",
    "lib",
    "libs",
    "shared",
    "stuff",
    "tools",
}
DEPTH = 4
"""Path parts inside the package: room / thing / kind / file."""

PUBLIC_NAMES = 15


def test_no_path_is_a_drawer(sources):
    found = [source.where for source in sources if _words(source.inside) & DRAWERS]
    assert not found, f"a drawer for odds and ends; name the noun its functions are about: {found}"


def test_paths_are_shallow(sources):
    deep = [source.where for source in sources if len(PurePosixPath(source.inside).parts) > DEPTH]
    assert not deep, f"over {DEPTH} parts inside the package; flatten: {deep}"


def test_no_class_is_a_drawer(sources):
    found = [
        f"{source.where}:{node.lineno} {node.name}"
        for source in sources
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef)
        and node.name.endswith(("Manager", "Handler", "Helper", "Util", "Utils", "Impl"))
    ]
    assert not found, f"a class called after nothing; say what it is: {found}"


def test_the_public_surface_is_small():
    assert len(gyroscope.__all__) <= PUBLIC_NAMES, "move a name out of gyroscope.__all__ into its room"
    assert sorted(gyroscope.__all__) == gyroscope.__all__, "keep gyroscope.__all__ sorted"


@pytest.mark.parametrize("name", gyroscope.__all__)
def test_every_public_name_is_there(name):
    assert getattr(gyroscope, name) is not None
    assert name in dir(gyroscope)


def test_every_module_can_be_imported():
    """A module that only imports on somebody's machine is caught here; backends may miss their own library."""
    missing = []
    for module in pkgutil.walk_packages(gyroscope.__path__, "gyroscope."):
        if module.name.endswith("__main__"):
            continue
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            missing.append(f"{module.name}: {error.name}")
    assert all(".runners." in name for name in missing), f"these need a library that the base does not bring: {missing}"


def _words(inside: str) -> set[str]:
    parts = PurePosixPath(inside).with_suffix("").parts
    return {word for part in parts for word in part.strip("_").split("_")}
