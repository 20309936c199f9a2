"""The one registry: names to import paths, imported when asked for.

Rooms keep their table of backends here by kind; outsiders join by the entry-point group `gyroscope.<kind>`.
A new backend is one file, one line here, one paragraph of docs. It never constructs anything.
"""

from __future__ import annotations

import importlib
from importlib.metadata import entry_points
from typing import Any

from gyroscope.errors import GyroscopeError, did_you_mean

BACKENDS: dict[str, dict[str, str]] = {
    "runners": {
        "onnx": "gyroscope.models.runners.onnx:OnnxRunner",
        "lightgbm": "gyroscope.models.runners.lightgbm:LightgbmRunner",
        "python": "gyroscope.models.runners.python:PythonRunner",
        "skops": "gyroscope.models.runners.skops:SkopsRunner",
        "xgboost": "gyroscope.models.runners.xgboost:XgboostRunner",
    },
}

EXTRAS: dict[str, str] = {
    "onnxruntime": "onnx",
    "lightgbm": "lightgbm",
    "skl2onnx": "sklearn",
    "sklearn": "sklearn",
    "skops": "skops",
    "sqlalchemy": "sql",
    "xgboost": "xgboost",
    "grpc": "grpc",
    "grpc_health": "grpc",
    "grpc_reflection": "grpc",
    "google": "grpc",
}
"""Module that may be missing -> the extra of this package that brings it."""


def known(kind: str) -> list[str]:
    """The names of one kind, ours and those of installed outsiders.

    >>> known("runners")
    ['lightgbm', 'onnx', 'python', 'skops', 'xgboost']
    """
    return sorted({**_outsiders(kind), **BACKENDS.get(kind, {})})


def load(kind: str, name: str) -> Any:
    """The class or function behind a name.

    Raises `GyroscopeError` with a did-you-mean for an unknown name, and with what to install for a missing library.
    """
    paths = {**_outsiders(kind), **BACKENDS.get(kind, {})}
    if name not in paths:
        raise GyroscopeError(f"no {kind[:-1]} is called {name!r}", where=kind, fix=did_you_mean(name, paths))
    module, _, attribute = paths[name].partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as missing:
        raise missing_library(missing, what=f"the {kind[:-1]} {name!r}") from missing
    except AttributeError as absent:
        raise GyroscopeError(
            f"the {kind[:-1]} {name!r} is not where its package says",
            where=paths[name],
            fix="update or remove the package that offers it",
        ) from absent


def missing_library(missing: ModuleNotFoundError, *, what: str) -> GyroscopeError:
    """Say how to get the library that `what` needs: by an extra of ours where one brings it.

    >>> print(missing_library(ModuleNotFoundError(name="onnxruntime.capi"), what="the runner 'onnx'"))
    the runner 'onnx' needs onnxruntime, which is not installed
      where: the runner 'onnx'
      fix:   pip install 'gyroscope[onnx]'
    """
    library = (missing.name or "").partition(".")[0]
    wanted = f"'gyroscope[{EXTRAS[library]}]'" if library in EXTRAS else library
    return GyroscopeError(f"{what} needs {library}, which is not installed", where=what, fix=f"pip install {wanted}")


def _outsiders(kind: str) -> dict[str, str]:
    return {point.name: point.value for point in entry_points(group=f"gyroscope.{kind}")}
