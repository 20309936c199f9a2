"""Runs a class of the user's own code, imported from the folder that the version stores.

The registry loads it for the runner name `python`. The class may have `load(folder)` and must have
`predict(matrix, columns)`. A process serves one version; loading a second one here forgets the first one's modules.
It never imports from outside the stored folder and what is installed.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gyroscope.errors import ModelError
from gyroscope.models.runners import Rows, foreign
from gyroscope.models.versions import Artifact
from gyroscope.records import Signature

_folders: list[str] = []
"""The folder on `sys.path` that belongs to the version loaded last."""


class PythonRunner:
    """One instance of the user's class."""

    def __init__(self, instance: Any, signature: Signature) -> None:
        self._instance = instance
        self._columns = list(signature.names)

    @classmethod
    def load(cls, artifact: Artifact, signature: Signature, threads: int = 1) -> Self:
        """Import, construct, and call `load` with the folder. Threads are the user's business.

        Raises `ModelError` when the module or class is not there, or raises.
        """
        where = f"{artifact.entry} in {artifact.path}"
        module_name, _, class_name = artifact.entry.partition(":")
        with foreign("the model's code cannot be imported", where=where, error=ModelError):
            module = _import_from(artifact.path, module_name)
        kind = getattr(module, class_name, None)
        if kind is None or not callable(getattr(kind, "predict", None)):
            missing = "there is no class" if kind is None else "there is no method predict in"
            raise ModelError(
                f"{missing} {class_name!r}", where=where, fix="def predict(self, matrix, columns) -> array"
            )
        with foreign(f"{class_name} cannot be loaded", where=where, error=ModelError):
            instance = kind()
            if hasattr(instance, "load"):
                instance.load(artifact.path)
        return cls(instance, signature)

    def predict(self, rows: Rows) -> NDArray[np.float64]:
        """Whatever the user's code gives back; it gets a copy, since the rows are still to be recorded."""
        answer: NDArray[np.float64] = self._instance.predict(rows.matrix.copy(), list(self._columns))
        return answer


def _import_from(folder: Path, module_name: str) -> Any:
    """Import a module of this folder, and nobody else's of the same name."""
    sys.dont_write_bytecode = True  # a cache written into the version would change what it hashes to
    _forget_last()
    sys.path.insert(0, str(folder))
    _folders.append(str(folder))
    importlib.invalidate_caches()
    top = module_name.partition(".")[0]
    present = sys.modules.get(top)
    if present is not None and not str(getattr(present, "__file__", "")).startswith(f"{folder}/"):
        raise ModelError(
            f"the module {top!r} has the name of one that is in use here", where=str(folder), fix="rename your module"
        )
    return importlib.import_module(module_name)


def _forget_last() -> None:
    for folder in _folders:
        if folder in sys.path:
            sys.path.remove(folder)
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None) or "").startswith(f"{folder}/"):
                del sys.modules[name]
    _folders.clear()
