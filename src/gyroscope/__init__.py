"""Gyroscope: machine-learning models in production, kept accurate, observable and fast.

The public names live here and are imported when asked for, so that `import gyroscope` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "profile": "gyroscope.notebook",
    "compare": "gyroscope.notebook",
    "Comparison": "gyroscope.notebook",
    "log": "gyroscope.library",
    "incidents": "gyroscope.library",
    "rehearse": "gyroscope.library",
    "Client": "gyroscope.client",
    "AsyncClient": "gyroscope.client",
    "NotEnoughData": "gyroscope.records",
    "GyroscopeError": "gyroscope.errors",
}

__all__ = [
    "AsyncClient",
    "Client",
    "Comparison",
    "GyroscopeError",
    "NotEnoughData",
    "__version__",
    "compare",
    "incidents",
    "log",
    "predictions",
    "profile",
    "rehearse",
]


def __getattr__(name: str) -> Any:
    if name == "predictions":
        # The room of this name can be called: it reads the log of a model.
        return importlib.import_module("gyroscope.predictions")
    if name not in _HOMES:
        raise AttributeError(f"module 'gyroscope' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
