"""Where in a YAML or JSON file a key stands, so that a complaint about it can name the line.

Only signatures use it. It reads text; it never opens a file.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from gyroscope.errors import GyroscopeError

Key = str | int


class Marks:
    """A parsed text that knows the line of every key. `plain` is its content."""

    def __init__(self, text: str, path: Path, refuse: Callable[[str, str], GyroscopeError]) -> None:
        self._path = str(path)
        try:
            self._node = yaml.compose(text, Loader=yaml.SafeLoader)
            self.plain: Any = yaml.safe_load(text)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            mark = getattr(error, "problem_mark", None)
            line = f":{mark.line + 1}" if mark else ""
            raise refuse(getattr(error, "problem", None) or str(error), f"{path}{line}") from error

    @classmethod
    def none(cls) -> Marks:
        """For what came from no file: complaints name the keys alone."""
        marks = cls.__new__(cls)
        marks._path, marks._node, marks.plain = "", None, None
        return marks

    def where(self, *keys: Key) -> str:
        """File, line and dotted key; the nearest known line when the key itself is missing."""
        dotted = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).lstrip(".")
        if not self._path:
            return f"signature.{dotted}" if dotted else "signature"
        node = self._node
        for key in keys:
            node = _child(node, key) or node
        line = node.start_mark.line + 1 if node else 1
        return f"{self._path}:{line}  {dotted}".rstrip()


def _child(node: yaml.Node | None, key: Key) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key]  # type: ignore[no-any-return]
    if isinstance(node, yaml.MappingNode):
        for name, child in node.value:
            if name.value == str(key):
                return name if isinstance(child, yaml.ScalarNode) else child  # type: ignore[no-any-return]
    return None
