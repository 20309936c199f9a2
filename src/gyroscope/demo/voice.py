"""What the demo says while it runs: a progress bar and numbers for people, or one JSON object a line for programs.

`run.py` talks through it. It never measures anything itself.
"""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

import orjson
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from gyroscope.clock import EventTime, iso
from gyroscope.demo.flights import ZONE

METRICS = ("accuracy", "precision", "recall", "f1", "auc", "brier")


class Voice:
    """One of the two ways to say things; `people` is None for JSON."""

    def __init__(self, *, as_json: bool) -> None:
        self._console = None if as_json else Console(highlight=False)

    def say(self, kind: str, at: EventTime, reason: str, **more: Any) -> None:
        """One event: its type, when (event time), why, and what belongs to it."""
        if self._console is not None:
            self._console.print(f"[dim]{kind:>10}[/dim]  {escape(reason)}", soft_wrap=True)
        else:
            self.say_json(kind, at, reason, **more)

    def say_json(self, kind: str, at: EventTime, reason: str, **more: Any) -> None:
        """An event for programs only; people see it elsewhere."""
        if self._console is not None:
            return
        line = {"type": kind, "at": iso(at, ZONE), "reason": reason, **more}
        sys.stdout.buffer.write(orjson.dumps(line) + b"\n")
        sys.stdout.buffer.flush()

    def live(self, total: int) -> Bar | None:
        """The live view of the replay, for people only."""
        return Bar(self._console, total) if self._console is not None else None

    def table(self, title: str, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
        """A table for people."""
        if self._console is None:
            return
        # Nine columns fit the 80 of a plain terminal without a frame.
        table = Table(title=title, title_justify="left", header_style="bold", box=None, padding=(0, 2, 0, 0))
        for at, name in enumerate(header):
            table.add_column(name, justify="left" if at == 0 else "right", no_wrap=True)
        for row in rows:
            table.add_row(*row)
        self._console.print(table)


class Bar:
    """A progress bar over the flights with the newest day's numbers below."""

    def __init__(self, console: Console, total: int) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        self._task = self._progress.add_task("flights", total=total)
        self._live = Live(console=console, refresh_per_second=4, get_renderable=self._draw)
        self._numbers: list[tuple[str, str]] = []

    def __enter__(self) -> Bar:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, done: int, day: str, numbers: list[tuple[str, str]]) -> None:
        """Move the bar to `done` flights and put these numbers below it."""
        self._progress.update(self._task, completed=done, description=day)
        self._numbers = numbers

    def _draw(self) -> Table:
        grid = Table.grid(padding=(0, 1))
        grid.add_row(self._progress)
        grid.add_row("   ".join(f"{name} [bold]{value}[/bold]" for name, value in self._numbers))
        return grid
