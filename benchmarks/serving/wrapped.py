"""A `haproxy` first on PATH that changes its configuration before it is the real one: sabotage for control runs.

Rows that need a door without one of its protections start their house inside `door_without`. The product knows nothing
of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gyroscope.supervisor.door import find_binary

WRAPPER = """\
#!/bin/sh
for given; do case $given in *.cfg) sed -i '{edit}' "$given";; esac; done
exec {binary} "$@"
"""


@contextmanager
def door_without(edit: str, folder: Path) -> Iterator[None]:
    """Doors that start meanwhile have their configuration edited by these words of sed."""
    wrapper = folder / "bin" / "haproxy"
    wrapper.parent.mkdir()
    wrapper.write_text(WRAPPER.format(edit=edit, binary=find_binary()), encoding="utf-8")
    wrapper.chmod(0o755)
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{wrapper.parent}:{before}"
    try:
        yield
    finally:
        os.environ["PATH"] = before
