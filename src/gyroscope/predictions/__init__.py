"""The store of what models said: segments, tables, labels and their join. This room never judges a model.

A replica appends to `log.PredictionLog`, one `recorder.Recorder` per home turns segments into one Delta table per
model, `table.Table` reads it typed, `labels.Labels` keeps every outcome in exactly one state.
Names are imported from their files: a replica that appends must not load DuckDB and Delta with them.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any


class _Room(ModuleType):
    """`gyroscope.predictions(model)` reads the log: the library's function has the name of this room."""

    def __call__(self, model: str, home: Any = None) -> Any:
        return importlib.import_module("gyroscope.library").predictions(model, home)


sys.modules[__name__].__class__ = _Room
