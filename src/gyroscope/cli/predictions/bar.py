"""A bar on stderr for work that takes long; silent where nobody looks at a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Told = Callable[[float], None]


@contextmanager
def bar(what: str, *, is_wanted: bool) -> Iterator[Told | None]:
    """What is to be told the share that is done, from 0 to 1; None when there is no terminal or no wish for one."""
    if not (is_wanted and sys.stderr.isatty()):
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(what, total=1.0)
        yield lambda done: shown.update(task, completed=done)
