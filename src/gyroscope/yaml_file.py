"""A YAML file as plain values that know the line they stand on.

`settings.py` reads through here, so that every complaint names its line. It knows no setting.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import yaml

from gyroscope.errors import SettingsError


class Place(NamedTuple):
    """A point of the file: what a complaint names."""

    path: Path
    node: yaml.Node | None
    dotted: str = ""

    def child(self, key: Any) -> Place:
        """The place of a key below this one."""
        dotted = f"{self.dotted}.{key}" if self.dotted else str(key)
        if isinstance(self.node, yaml.MappingNode):
            for name, value in self.node.value:
                if name.value == str(key):
                    return Place(self.path, value, dotted)
        return Place(self.path, self.node, dotted)

    def __str__(self) -> str:
        line = self.node.start_mark.line + 1 if self.node else 1
        return f"{self.path}:{line}  {self.dotted}".rstrip()


def parse_yaml(text: str, path: Path) -> tuple[yaml.Node | None, Any]:
    """The whole file, as nodes that know their lines and as plain values. Raises `SettingsError` with the line."""
    loader = None
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        _refuse_doubled_keys(node, path)
        return node, None if node is None else loader.construct_document(node)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or error
        raise SettingsError(f"this is not YAML: {problem}", where=f"{path}{line}", fix="mend the line") from error
    finally:
        if loader is not None:
            loader.dispose()


def _refuse_doubled_keys(node: yaml.Node | None, path: Path) -> None:
    """YAML would silently take the last of two; a reader sees the first."""
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for name, child in node.value:
        if str(name.value) in seen:
            where = f"{path}:{name.start_mark.line + 1}  {name.value}"
            raise SettingsError(f"{name.value} is set twice", where=where, fix="keep one of the two")
        seen.add(str(name.value))
        _refuse_doubled_keys(child, path)
