"""A bar on stderr for what takes long, and nothing where stderr is no terminal.

Commands that read or write many rows or files use it. It never writes to stdout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Move = Callable[[int, int, str], None]


@contextmanager
def progress(doing: str) -> Iterator[Move]:
    """Give what is called with (done, of, where) after each step."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(doing, total=None)

        def move(done: int, of: int, _: str) -> None:
            bar.update(task, completed=done, total=of)

        yield move
